/**
 * Deployments: which services run, where, and how many of each.
 *
 * A deployment is a value. Its units are services with their layers; from it come the program in one process, units in
 * processes of their own, the plan of resources, the graph, and the description from which manifests are made.
 *
 * @since 0.2.0
 */
import { Array as Arrays, Effect, Layer, Predicate } from "effect"
import type { HttpRouter } from "effect/http"
import { applyConfiguration } from "./deployment/apply.ts"
import * as Check from "./deployment/check.ts"
import type { Configuration } from "./deployment/configuration.ts"
import { DeploymentInvalid } from "./deployment/DeploymentInvalid.ts"
import { describe as describeUnits } from "./deployment/describe.ts"
import type { DeploymentDescription } from "./deployment/Description.ts"
import * as Layers from "./deployment/layer.ts"
import type * as Unit from "./deployment/unit.ts"
import type * as Model from "./Model.ts"
import * as Resources from "./Resources.ts"
import * as Serve from "./Serve.ts"

export { applyConfiguration, type Difference, type Differences, differences } from "./deployment/apply.ts"
export { autoscale, initial as initialScale, type Sample, type State as ScaleState } from "./deployment/autoscale.ts"
export { type Configuration, File, jsonSchema, type UnitConfiguration } from "./deployment/configuration.ts"
export { type FileOptions, parseConfiguration } from "./deployment/configurationFile.ts"
export {
  type CriticalEdge,
  type CriticalPath,
  criticalPath,
  drawCriticalPath,
  fromSpans,
  record,
  type RecordedSpan
} from "./deployment/criticalPath.ts"
export { DeploymentInvalid, Problem } from "./deployment/DeploymentInvalid.ts"
export type { DeploymentDescription, Placement, Scaling, UnitDescription } from "./deployment/Description.ts"
export { draw } from "./deployment/drawing.ts"
export { graph, type GraphData, type GraphNode, toData, toDot, toMermaid } from "./deployment/graph.ts"
export { type Observation, observe, type ObservedEdge } from "./deployment/observation.ts"
export { drawObservation } from "./deployment/observationDrawing.ts"
export { stages } from "./deployment/order.ts"
export { type DeploymentPlan, drawPlan, plan, type PlannedUnit } from "./deployment/plan.ts"
export { parseSpanFile, SpanFileInvalid, toSpanFile } from "./deployment/spanFile.ts"
export type {
  AnyUnit,
  LayerOf,
  Needs,
  ScalingOptions,
  Served,
  Superfluous,
  Unit,
  UnitOptions
} from "./deployment/unit.ts"

/**
 * A deployment: its name, and its units by name.
 *
 * @category models
 * @since 0.2.0
 */
export interface Deployment<out Units extends Readonly<Record<string, Unit.AnyUnit>>> {
  readonly name: string
  readonly units: Units
}

/**
 * A deployment of any units.
 *
 * @category models
 * @since 0.2.0
 */
export type Any = Deployment<Readonly<Record<string, Unit.AnyUnit>>>

/**
 * Whether a value is a deployment, such as what a module exports.
 *
 * @category guards
 * @since 0.2.0
 */
export const isDeployment = (value: unknown): value is Any =>
  Predicate.hasProperty(value, "name") && Predicate.isString(value.name) && Predicate.hasProperty(value, "units") &&
  Predicate.isObject(value.units) && Object.values(value.units).every((unit) =>
    Predicate.hasProperty(unit, "service") && Predicate.hasProperty(unit, "layer") && Layer.isLayer(unit.layer)
  )

/** The services that the units of a deployment serve. */
type ServicesOf<D extends Any> = Model.Identifier<D["units"][keyof D["units"]]["service"]>

/** The services that its units need and something else serves. */
type ExternalOf<D extends Any> = Model.Identifier<D["units"][keyof D["units"]]["external"][number]>

/** What its layers fail with. */
type ErrorOf<D extends Any> = Layer.Error<D["units"][keyof D["units"]]["layer"]>

/**
 * Makes a unit of a service and the layer that implements it.
 *
 * `dependsOn` names the services that the layer needs and other units serve, `external` those that something else
 * serves, and `provide` is a layer of all else. One that is missing does not compile, and neither does one too many.
 *
 * **Gotchas**
 *
 * `Resources.require` is applied last: a layer that something was provided to after it has lost its request.
 *
 * @category constructors
 * @since 0.2.0
 */
export const unit = <
  Service extends Model.Any,
  L extends Unit.LayerOf<Service>,
  const Depends extends ReadonlyArray<Model.Any> = readonly [],
  const External extends ReadonlyArray<Model.Any> = readonly [],
  // oxlint-disable-next-line no-explicit-any -- a layer of any services and errors, which are found in its type
  Provide extends Layer.Layer<never, any> = Layer.Layer<never>
>(
  service: Service,
  layer: L & Unit.Needs<Service, L, Depends, External, Provide>,
  options?: Unit.UnitOptions<Depends, External, Provide> & Unit.Superfluous<Service, L, Depends, External>
): Unit.Unit<Service, Layer.Error<L> | Layer.Error<Provide>, Depends[number], External[number]> => {
  const { dependsOn = [], external = [], provide } = options ?? {}
  // A layer is also asked for its request, which only `Resources.require` puts there.
  const { request = {} } = layer as { readonly request?: Resources.Request }
  return {
    service,
    // The types of the parameters say that nothing else is needed.
    layer: (provide === undefined ? layer : Layer.provide(layer, provide)) as Unit.Unit<
      Service,
      Layer.Error<L> | Layer.Error<Provide>,
      Depends[number],
      External[number]
    >["layer"],
    dependsOn,
    external,
    options: options ?? {},
    request
  }
}

/**
 * Makes a deployment of units, whose names are those of their processes, containers and hosts.
 *
 * A unit that depends on a service that no unit serves does not compile. All else that can be wrong `check` finds.
 *
 * **Example** (Two units)
 *
 * ```ts
 * import { Deployment, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("ocr/Reader", [Rpc.make("read", { success: Schema.String })]) {}
 * class Ocr extends Model.Service<Ocr>()("ocr/Ocr", [Rpc.make("all", { success: Schema.String })]) {}
 *
 * const ReaderLive = Reader.toLayer({ read: () => Effect.succeed("text") })
 * const OcrLive = Ocr.toLayer(Effect.map(Reader, (reader) => ({ all: () => reader.read() })))
 *
 * export default Deployment.make("ocr", {
 *   reader: Deployment.unit(Reader, ReaderLive, { replicas: 2 }),
 *   ocr: Deployment.unit(Ocr, OcrLive, { dependsOn: [Reader], expose: true })
 * })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = <const Units extends Readonly<Record<string, Unit.AnyUnit>>>(
  name: string,
  units: Units & Unit.Served<Units>
): Deployment<Units> => ({ name, units })

/**
 * The deployment as plain data, dependencies first, with a configuration put over it; nothing is checked.
 *
 * @category converting
 * @since 0.2.0
 */
export const describe = (deployment: Any, configuration?: Configuration): DeploymentDescription => {
  const description = describeUnits(deployment.name, deployment.units)
  return configuration === undefined ? description : applyConfiguration(description, configuration)
}

/**
 * Against what a deployment is checked, besides what holds for it anywhere.
 *
 * @category models
 * @since 0.2.0
 */
export interface CheckOptions {
  readonly configuration?: Configuration
  /** The machine on which all its units that have no `url` run. */
  readonly inventory?: Resources.Inventory
  /** Whether the variables and secrets that its units need are to be set here, an empty one counting as not set: no. */
  readonly environment?: boolean
  /** Whether the variables with the addresses of services outside are to be set here: no. */
  readonly addresses?: boolean
}

/**
 * Describes a deployment, or fails with all that is wrong with it; no layer is built.
 *
 * Refused are names that cannot be those of hosts, services that two units serve or whose addresses would have the same
 * variable, units that need each other, numbers that make no sense, and, where it is asked for, resources that the
 * machine does not have and variables that the `Config` of the fiber does not have.
 *
 * @category constructors
 * @since 0.2.0
 */
export const check = Effect.fnUntraced(function*(deployment: Any, options: CheckOptions = {}) {
  const description = describe(deployment, options.configuration)
  const problems = Array.from(Check.problemsOf(description, deployment.units))
  if (options.environment === true) {
    problems.push(...yield* Check.problemsOfEnvironment(description))
  }
  if (options.addresses === true) problems.push(...yield* Check.problemsOfAddresses(description, deployment.units))
  if (options.inventory !== undefined) problems.push(...Check.problemsOnMachine(description, options.inventory))
  if (Arrays.isArrayNonEmpty(problems)) return yield* new DeploymentInvalid({ deployment: deployment.name, problems })
  return description
})

/**
 * How a deployment is built in this process.
 *
 * @category models
 * @since 0.2.0
 */
export interface LayerOptions<E = never, R = never> {
  readonly configuration?: Configuration
  /** The layer of a service that a configuration says is at a `url`; without it, such a deployment is refused. */
  // oxlint-disable-next-line no-explicit-any -- the layer of any service, whose key is an argument
  readonly connect?: (service: Model.Any, url: string) => Layer.Layer<any, E, R>
}

/**
 * All the services of a deployment, in this process.
 *
 * The deployment is checked first, then its resources are planned, and only then its layers are built: units that do not
 * need each other at the same time, each unit once. `placement` does not matter here. The limits of `traffic` are those
 * of a replica times its replicas. The `environment` of a unit comes before that of the process for what its layer
 * reads through `Config`.
 *
 * Services outside of the deployment are still needed, such as by `Location.layer`.
 *
 * **Example** (A deployment in a test)
 *
 * ```ts
 * import { Deployment, Model, Resources } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const deployment = Deployment.make("reading", {
 *   reader: Deployment.unit(Reader, Reader.toLayer({ read: () => Effect.succeed("text") }))
 * })
 *
 * export const program = Reader.use((reader) => reader.read()).pipe(
 *   Effect.provide(
 *     Layer.provide(Deployment.layer(deployment), Resources.layerMachine({ cpu: 1, memory: "1 GiB", gpus: [] }))
 *   )
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <D extends Any, E = never, R = never>(
  deployment: D,
  options: LayerOptions<E, R> = {}
): Layer.Layer<
  ServicesOf<D>,
  ErrorOf<D> | E | DeploymentInvalid | Resources.ResourcesExhausted,
  ExternalOf<D> | R | Resources.Machine
> =>
  // The units are wired by name, so that their types have to be stated again.
  Layer.unwrap(Effect.map(
    checked(deployment, options),
    (description) => Layers.layerAll(deployment.units, description, options.connect ?? unconnected)
  )) as Layer.Layer<
    ServicesOf<D>,
    ErrorOf<D> | E | DeploymentInvalid | Resources.ResourcesExhausted,
    ExternalOf<D> | R | Resources.Machine
  >

/** What is at a `url` needs something that connects to it. */
const checked = Effect.fnUntraced(
  function*(deployment: Any, { configuration, connect }: LayerOptions<unknown, unknown>) {
    const { inventory } = yield* Resources.Machine
    const description = yield* check(deployment, {
      ...(configuration === undefined ? {} : { configuration }),
      environment: true,
      inventory
    })
    const problems = description.units.filter(({ url }) => url !== undefined && connect === undefined).map((
      { name }
    ) => ({
      path: `units.${name}.url`,
      detail: "nothing connects to it",
      advice: "Give Deployment.layer a connect, such as that of chorale/node."
    }))
    if (Arrays.isArrayNonEmpty(problems)) return yield* new DeploymentInvalid({ deployment: deployment.name, problems })
    return description
  }
)

const unconnected: Layers.Connect = () => Layer.effectDiscard(Effect.die(new Error("a url was not refused")))

/**
 * One unit of a deployment, with the services that it needs from elsewhere: the layer of a process of its own.
 *
 * Its `Granted` is left open, as `Worker.run` of `chorale/node` takes it; `layerGrants` provides it otherwise. Limits of
 * `traffic` are those of a replica times the replicas granted. Nothing is checked.
 *
 * **Example** (A unit whose dependencies run where the environment says)
 *
 * ```ts
 * import { Deployment, Model, Remote } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("ocr/Reader", [Rpc.make("read", { success: Schema.String })]) {}
 * class Ocr extends Model.Service<Ocr>()("ocr/Ocr", [Rpc.make("all", { success: Schema.String })]) {}
 *
 * const ReaderLive = Reader.toLayer({ read: () => Effect.succeed("text") })
 * const OcrLive = Ocr.toLayer(Effect.map(Reader, (reader) => ({ all: () => reader.read() })))
 *
 * const deployment = Deployment.make("ocr", {
 *   reader: Deployment.unit(Reader, ReaderLive),
 *   ocr: Deployment.unit(Ocr, OcrLive, { dependsOn: [Reader] })
 * })
 *
 * export const OcrAlone = Deployment.unitLayer(
 *   deployment,
 *   "ocr",
 *   Remote.layerHttp(Reader, { url: "http://127.0.0.1:3000" })
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const unitLayer = <D extends Any, const Name extends keyof D["units"] & string, A, E = never, R = never>(
  deployment: D,
  name: Name,
  remotes: Layer.Layer<A, E, R>,
  options: { readonly configuration?: Configuration } = {}
): Layer.Layer<
  Model.Identifier<D["units"][Name]["service"]>,
  Layer.Error<D["units"][Name]["layer"]> | E,
  Exclude<Layer.Services<D["units"][Name]["layer"]>, A> | R
> => {
  const unit = deployment.units[name]
  const described = describe(deployment, options.configuration).units.find((described) => described.name === name)
  if (unit === undefined || described === undefined) {
    throw new RangeError(`${deployment.name} has no unit ${name}; it has ${Object.keys(deployment.units).join(", ")}`)
  }
  // The layer of a unit of any name, whose types the name tells.
  return Layer.provide(Layers.layerOne(unit, described), remotes) as Layer.Layer<
    Model.Identifier<D["units"][Name]["service"]>,
    Layer.Error<D["units"][Name]["layer"]> | E,
    Exclude<Layer.Services<D["units"][Name]["layer"]>, A> | R
  >
}

/**
 * Plans the resources of units of a deployment, or of all that have no `url`: for each the `Granted` of its service.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerGrants = <D extends Any, const Name extends keyof D["units"] & string = keyof D["units"] & string>(
  deployment: D,
  options: { readonly units?: ReadonlyArray<Name>; readonly configuration?: Configuration } = {}
): Layer.Layer<
  { [K in Name]: Resources.Granted<Model.Identifier<D["units"][K]["service"]>> }[Name],
  Resources.ResourcesExhausted,
  Resources.Machine
> => {
  const names: ReadonlyArray<string> = options.units ?? Object.keys(deployment.units)
  const { units } = describe(deployment, options.configuration)
  // One key per unit is added; the compiler cannot count a loop.
  return Layers.layerGrants(deployment.units, units.filter(({ name }) => names.includes(name))) as Layer.Layer<
    { [K in Name]: Resources.Granted<Model.Identifier<D["units"][K]["service"]>> }[Name],
    Resources.ResourcesExhausted,
    Resources.Machine
  >
}

/**
 * Serves the units of a deployment that are exposed over HTTP, all of the deployment in this process.
 *
 * Add it to an `HttpRouter`; `Serve.http` says which routes there are.
 *
 * @category layers
 * @since 0.2.0
 */
export const server = <D extends Any, E = never, R = never>(
  deployment: D,
  options: LayerOptions<E, R> & { readonly http?: Parameters<typeof Serve.http>[1] } = {}
): Layer.Layer<
  never,
  ErrorOf<D> | E | DeploymentInvalid | Resources.ResourcesExhausted,
  HttpRouter.HttpRouter | ExternalOf<D> | R | Resources.Machine
> => {
  const exposed = Object.values(deployment.units).filter(({ options }) => options.expose === true)
  return Layer.provide(Serve.http(exposed.map(({ service }) => service), options.http), layer(deployment, options))
}
