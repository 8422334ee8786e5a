/** A limit that several services share by its name. */
import { Context, Effect, Layer } from "effect"
import type * as Model from "../Model.ts"
import type * as Resources from "../Resources.ts"
import { around, Gate } from "./gate.ts"
import { Priority, requireWhole } from "./limit.ts"
import * as Policy from "./policy.ts"

/**
 * The permits of a name that services share.
 *
 * @category services
 * @since 0.2.0
 */
export interface Budget<in out Name extends string> {
  readonly name: Name
}

const key = <Name extends string>(name: Name): Context.Service<Budget<Name>, Gate> =>
  Context.Service<Budget<Name>, Gate>(`chorale/Traffic/Budget/${name}`)

/**
 * A layer whose service takes permits of a budget, which has to be provided.
 *
 * @category models
 * @since 0.2.0
 */
export type Budgeted<L extends Policy.AnyLayer, Name extends string> = L extends
  Resources.Requiring<infer Self, infer E, infer R> ? Resources.Requiring<Self, E, R | Budget<Name>>
  : L extends Model.ServiceLayer<infer Self, infer E, infer R> ? Model.ServiceLayer<Self, E, R | Budget<Name>>
  : never

/**
 * The permits that the services with `budget` of this name share, and the queue in which their calls wait for them.
 *
 * Calls wait by `Priority` and then the first come first. The queue holds 1024 calls unless it is given. Provide the same
 * layer to all of the services: another of the same name, as in another process, has permits of its own.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerBudget = <const Name extends string>(
  name: Name,
  options: { readonly permits: number; readonly queue?: number }
): Layer.Layer<Budget<Name>> => {
  const { permits, queue = 1024 } = options
  requireWhole("layerBudget", "permits", permits, 1)
  requireWhole("layerBudget", "queue", queue, 0)
  return Layer.sync(key(name), () => new Gate({ permits, queue, lastFirst: false }))
}

/**
 * Lets a call run only with so many permits of the budget of a name, which other services share.
 *
 * A call that runs holds `permits`, one unless it is given; a larger call at the head of the queue is not overtaken by
 * smaller ones. `priority` is added to the `Priority` of the fiber that calls. A call is refused, and leaves the queue,
 * as with `limit`. The layer does not build without `layerBudget` of that name, nor where it has fewer permits than a
 * call takes.
 *
 * **Gotchas**
 *
 * A service that takes permits and then calls another service with the same budget waits for what it holds itself: give
 * the budget to the services that compute, not to those that compose them.
 *
 * **Example** (Two models that share a GPU)
 *
 * ```ts
 * import { Model, Traffic } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Detector extends Model.Service<Detector>()("Detector", [Rpc.make("detect", { success: Schema.Int })]) {}
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const DetectorLive = Detector.toLayer({ detect: () => Effect.succeed(2) }).pipe(
 *   Traffic.budget("gpu", { permits: 2, priority: 1 })
 * )
 * const ReaderLive = Reader.toLayer({ read: () => Effect.succeed("text") }).pipe(Traffic.budget("gpu"))
 *
 * export const Models = Layer.mergeAll(DetectorLive, ReaderLive).pipe(
 *   Layer.provide(Traffic.layerBudget("gpu", { permits: 4 }))
 * )
 * ```
 *
 * @category policies
 * @since 0.2.0
 */
export const budget = <const Name extends string, const Method extends string = never>(
  name: Name,
  options: {
    readonly permits?: number
    readonly priority?: number
    readonly methods?: ReadonlyArray<Method>
  } = {}
) => {
  const { permits = 1, priority = 0 } = options
  requireWhole("budget", "permits", permits, 1)
  const policy: Policy.Policy<Method> = Policy.make("budget", options, (service) =>
    // `Budgeted` puts the budget into what the layer needs.
    Effect.map(key(name) as unknown as Effect.Effect<Gate>, (gate) => {
      if (permits > gate.permits) {
        throw new RangeError(
          `${service.key}: a call takes ${permits} permits of the budget ${name}, which has ${gate.permits}`
        )
      }
      return around(gate, service.key, permits, (fiber) => fiber.getRef(Priority) + priority)
    }))
  return <L extends Policy.AnyLayer>(
    self: L & Policy.Naming<Method>
  ): Budgeted<L, Name> =>
    // The same layer, which now needs the budget.
    policy(self) as unknown as Budgeted<L, Name>
}
