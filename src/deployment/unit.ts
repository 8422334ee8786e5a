/** A unit of a deployment: a service, the layer that implements it, and how it runs. */
import type { Duration, Layer, Scope } from "effect"
import type * as Model from "../Model.ts"
import type * as Resources from "../Resources.ts"
import type { Placement } from "./Description.ts"

/**
 * When the number of replicas of a unit follows the load; see `Scaling` of the description for what is counted.
 *
 * `minReplicas` is 1, `scaleUpWindow` nothing and `scaleDownWindow` five minutes, unless they are given.
 *
 * @category models
 * @since 0.2.0
 */
export interface ScalingOptions {
  readonly minReplicas?: number
  readonly maxReplicas: number
  readonly target: { readonly concurrency?: number; readonly cpu?: number; readonly queue?: number }
  readonly scaleUpWindow?: Duration.Input
  readonly scaleDownWindow?: Duration.Input
}

/**
 * How a unit runs. Everything has a default, and `chorale.yaml` can say otherwise.
 *
 * @category models
 * @since 0.2.0
 */
export interface UnitOptions<Depends, External, Provide> {
  /** The services that the layer needs and other units of the deployment serve. */
  readonly dependsOn?: Depends
  /** The services that the layer needs and something else serves: `<SERVICE>_URL` of the environment says where. */
  readonly external?: External
  /** What else the layer needs, such as `NodeFileSystem.layer`: one constant that several units name is built once. */
  readonly provide?: Provide
  /** Replicas: as many as `Resources.require` asks for, else one. */
  readonly replicas?: number
  /** Where the replicas run when one machine serves the deployment: `"local"`, in the process itself. */
  readonly placement?: Placement
  /** What one replica needs: what `Resources.require` asked for. */
  readonly resources?: Omit<Resources.Request, "replicas">
  /** Calls at a time and calls that wait, per replica; the time of one call. */
  readonly traffic?: { readonly concurrency?: number; readonly queue?: number; readonly timeout?: Duration.Input }
  /** Environment variables; one that is `undefined` must be set where the unit runs. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Names of environment variables that hold secrets, set where the unit runs. */
  readonly secrets?: ReadonlyArray<string>
  /** When the number of replicas changes: in threads, in processes and in a cluster, not within one process. */
  readonly scaling?: ScalingOptions
  /** Whether it is reachable over HTTP from outside of the deployment. */
  readonly expose?: boolean
  readonly instanceType?: string
  readonly image?: string
}

/**
 * A service, the layer that implements it, and how it runs.
 *
 * @category models
 * @since 0.2.0
 */
export interface Unit<
  out Service extends Model.Any,
  out E,
  out Depends extends Model.Any,
  out External extends Model.Any
> {
  readonly service: Service
  /** Its layer with what the unit provides; what is left are services and the plan of its resources. */
  readonly layer: Layer.Layer<
    Model.Identifier<Service>,
    E,
    Model.Identifier<Depends | External> | Resources.Granted<Model.Identifier<Service>>
  >
  readonly dependsOn: ReadonlyArray<Depends>
  readonly external: ReadonlyArray<External>
  readonly options: UnitOptions<unknown, unknown, unknown>
  /** What `Resources.require` put on the layer. */
  readonly request: Resources.Request
}

/**
 * A unit of any service.
 *
 * @category models
 * @since 0.2.0
 */
// oxlint-disable-next-line no-explicit-any -- a unit of any service, whose types `Unit` has
export type AnyUnit = Unit<Model.Any, any, Model.Any, Model.Any>

/**
 * A layer that satisfies a service, of any other types.
 *
 * @category utility types
 * @since 0.2.0
 */
// oxlint-disable-next-line no-explicit-any -- the layer of any service, whose types the unit infers
export type LayerOf<Service extends Model.Any> = Layer.Layer<Model.Identifier<Service>, any, any>

/** What the layer needs besides its scope and the plan of its resources. */
type NeedsOf<Service extends Model.Any, L> = L extends Layer.Layer<infer _A, infer _E, infer R>
  ? Exclude<R, Scope.Scope | Resources.Granted<Model.Identifier<Service>>>
  : never

/** The services that a list of contracts names. */
export type Named<Services extends ReadonlyArray<Model.Any>> = Model.Identifier<Services[number]>

/**
 * Nothing where all that the layer needs is given; otherwise a property that no layer has, whose name and type are the
 * sentence that the compiler prints.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Needs<
  Service extends Model.Any,
  L,
  Depends extends ReadonlyArray<Model.Any>,
  External extends ReadonlyArray<Model.Any>,
  Provide extends Layer.Any
> = [Lacking<Service, L, Depends, External, Provide>] extends [never] ? AsksFor<Service, L>
  : { readonly "dependsOn, external or provide lacks": Lacking<Service, L, Depends, External, Provide> }

type Lacking<
  Service extends Model.Any,
  L,
  Depends extends ReadonlyArray<Model.Any>,
  External extends ReadonlyArray<Model.Any>,
  Provide extends Layer.Any
> = Exclude<NeedsOf<Service, L>, Named<Depends> | Named<External> | Layer.Success<Provide>>

/** The request of a layer is lost where something is put around what `Resources.require` returns. */
type AsksFor<Service extends Model.Any, L> = L extends Layer.Layer<infer _A, infer _E, infer R>
  ? [Extract<R, Resources.Granted<Model.Identifier<Service>>>] extends [never] ? unknown
  : L extends { readonly request: Resources.Request } ? unknown
  : {
    readonly "Resources.require must be applied last, and what else is needed be in provide": Model.Identifier<Service>
  }
  : never

/**
 * Nothing where the layer needs all that is named; otherwise a property whose name is the sentence to read.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Superfluous<
  Service extends Model.Any,
  L,
  Depends extends ReadonlyArray<Model.Any>,
  External extends ReadonlyArray<Model.Any>
> = [Exclude<Named<Depends> | Named<External>, NeedsOf<Service, L>>] extends [never] ? unknown : {
  readonly "the layer does not need": Exclude<Named<Depends> | Named<External>, NeedsOf<Service, L>>
}

/**
 * Nothing where units serve all that units depend on; otherwise a property whose name is the sentence to read.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Served<Units extends Readonly<Record<string, AnyUnit>>> = {
  readonly [Name in keyof Units]: [Unserved<Units, Name>] extends [never] ? unknown
    : { readonly "no unit serves, and external does not name": Unserved<Units, Name> }
}

type Unserved<Units extends Readonly<Record<string, AnyUnit>>, Name extends keyof Units> = Exclude<
  Named<Units[Name]["dependsOn"]>,
  Model.Identifier<Units[keyof Units]["service"]>
>
