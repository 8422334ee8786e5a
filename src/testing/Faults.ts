/**
 * Faults for the calls of any service, wherever it runs.
 *
 * A plan says what happens to each call, by a script or by chance with a seed, so a run that showed something can be
 * repeated. What damages the bytes of a connection itself is `FaultyProxy` in `chorale/testing/node`.
 *
 * @since 0.2.0
 */
import { Duration, Effect, Layer, Random, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Damage from "./faults/damage.ts"

/**
 * What happens to one call.
 *
 * - `None`: nothing.
 * - `Drop`: it is lost before its handler; it never ends, unless it is interrupted.
 * - `Delay`: it begins later.
 * - `Fail`: it fails with a reason, and its handler is not reached.
 * - `Corrupt`: one bit of the bytes or tensors in its answer is another, for a stream in its first item. An answer
 *   without bytes is `ContractMismatch`, as it is where a message cannot be read.
 * - `Disconnect`: its handler runs and its answer is lost: `Unavailable`; a stream is cut after some items.
 *
 * @category models
 * @since 0.2.0
 */
export type Fault =
  | { readonly _tag: "None" }
  | { readonly _tag: "Drop" }
  | { readonly _tag: "Delay"; readonly duration: Duration.Duration }
  | { readonly _tag: "Fail"; readonly reason: ServiceError.Reason }
  | { readonly _tag: "Corrupt" }
  | { readonly _tag: "Disconnect"; readonly afterItems: number }

/**
 * A call to which nothing happens.
 *
 * @category constructors
 * @since 0.2.0
 */
export const none: Fault = { _tag: "None" }

/**
 * A call that is lost.
 *
 * @category constructors
 * @since 0.2.0
 */
export const drop: Fault = { _tag: "Drop" }

/**
 * A call that begins later.
 *
 * @category constructors
 * @since 0.2.0
 */
export const delay = (duration: Duration.Input): Fault => ({
  _tag: "Delay",
  duration: Duration.fromInputUnsafe(duration)
})

/**
 * A call that fails with a reason before it reaches its handler.
 *
 * @category constructors
 * @since 0.2.0
 */
export const fail = (reason: ServiceError.Reason): Fault => ({ _tag: "Fail", reason })

/**
 * A call whose answer is damaged.
 *
 * @category constructors
 * @since 0.2.0
 */
export const corrupt: Fault = { _tag: "Corrupt" }

/**
 * A call whose connection breaks before its answer, or after so many items of a stream: none unless it is given.
 *
 * @category constructors
 * @since 0.2.0
 */
export const disconnect = (options: { readonly afterItems?: number } = {}): Fault => ({
  _tag: "Disconnect",
  afterItems: options.afterItems ?? 0
})

/**
 * Says what happens to each call, by the name of its method and a number from 0 up to 1 that is another every time.
 *
 * It is made anew whenever the layer is built.
 *
 * @category models
 * @since 0.2.0
 */
export interface Plan {
  readonly seed: string | number
  readonly make: () => (method: string, random: number) => Fault
}

/**
 * One fault a call, in order; nothing happens to the calls after the last one.
 *
 * @category plans
 * @since 0.2.0
 */
export const script = (faults: ReadonlyArray<Fault>): Plan => ({
  seed: 0,
  make: () => {
    let calls = 0
    return () => faults[calls++] ?? none
  }
})

/**
 * Faults by chance: each with its probability, of which there may be 1 in all; nothing happens to the other calls.
 *
 * The same seed gives the same faults to the same calls in the same order.
 *
 * @category plans
 * @since 0.2.0
 */
export const random = (options: {
  readonly seed: string | number
  readonly faults: ReadonlyArray<readonly [probability: number, fault: Fault]>
}): Plan => ({
  seed: options.seed,
  make: () => (_, random) => {
    let sum = 0
    const found = options.faults.find(([probability]) => random < (sum += probability))
    return found === undefined ? none : found[1]
  }
})

/**
 * Faults for some methods only; nothing happens to the others, whose calls the plan does not count.
 *
 * @category plans
 * @since 0.2.0
 */
export const only = (methods: ReadonlyArray<string>, plan: Plan): Plan => ({
  seed: plan.seed,
  make: () => {
    const next = plan.make()
    return (method, random) => methods.includes(method) ? next(method, random) : none
  }
})

/**
 * Puts the faults of a plan between a service and its callers.
 *
 * **Example** (One call in ten is lost, one in ten finds no replica)
 *
 * ```ts
 * import { Model, ServiceError } from "chorale"
 * import { Faults } from "chorale/testing"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const Unreliable = Reader.toLayer({ read: () => Effect.succeed("text") }).pipe(
 *   Faults.inject(Reader, Faults.random({
 *     seed: 7,
 *     faults: [[0.1, Faults.drop], [0.1, Faults.fail(new ServiceError.Unavailable({ detail: "restarting" }))]]
 *   }))
 * )
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const inject = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  plan: Plan
) =>
<E, R>(layer: Layer.Layer<Self, E, R>): Layer.Layer<Self, E, R> =>
  Layer.provide(
    Layer.effect(
      service,
      Effect.gen(function*() {
        // The methods by name, whose types the contract states again below.
        const client = (yield* service) as unknown as Model.AnyClient
        const { nextDoubleUnsafe } = yield* Random.withSeed(Random.Random, plan.seed)
        const next = plan.make()
        const methods = Array.from(service.methods.values(), (method) => [
          method.name,
          wrap(service.key, method, client[method.name]!, () => next(method.name, nextDoubleUnsafe()))
        ])
        return Object.fromEntries(methods) as Model.Client<Rpcs>
      })
    ),
    layer
  )

type AnyEffect = Effect.Effect<unknown, unknown>
type AnyStream = Stream.Stream<unknown, unknown>

const wrap = (service: string, method: Model.Definition, call: Model.AnyClient[string], next: () => Fault) => {
  const broken = (reason: ServiceError.Reason) =>
    new ServiceError.ServiceError({ service, method: method.name, reason })
  // The contract says which of the two a method returns; the erased types do not.
  return method.stream
    ? (payload: unknown) => Stream.suspend(() => faultyStream(call(payload) as AnyStream, next(), broken))
    : (payload: unknown) => Effect.suspend(() => faultyEffect(call(payload) as AnyEffect, next(), broken))
}

type Breaks = (reason: ServiceError.Reason) => ServiceError.ServiceError

const faultyEffect = (call: AnyEffect, fault: Fault, broken: Breaks): AnyEffect => {
  switch (fault._tag) {
    case "None":
      return call
    case "Drop":
      return Effect.never
    case "Delay":
      return Effect.delay(call, fault.duration)
    case "Fail":
      return Effect.fail(broken(fault.reason))
    case "Corrupt":
      return Effect.flatMap(call, (answer) => damaged(answer, broken))
    case "Disconnect":
      return Effect.andThen(Effect.exit(call), Effect.fail(broken(cut)))
  }
}

const faultyStream = (call: AnyStream, fault: Fault, broken: Breaks): AnyStream => {
  switch (fault._tag) {
    case "None":
      return call
    case "Drop":
      return Stream.never
    case "Delay":
      return Stream.unwrap(Effect.as(Effect.sleep(fault.duration), call))
    case "Fail":
      return Stream.fail(broken(fault.reason))
    case "Corrupt":
      return Stream.mapEffect(call, (item, index) => index === 0 ? damaged(item, broken) : Effect.succeed(item))
    case "Disconnect":
      return Stream.concat(Stream.take(call, fault.afterItems), Stream.fail(broken(cut)))
  }
}

const cut = new ServiceError.Unavailable({ detail: "the connection was cut" })

const damaged = (answer: unknown, broken: Breaks): AnyEffect =>
  Effect.suspend(() => {
    const other = Damage.flipBit(answer)
    return other === undefined
      ? Effect.fail(broken(new ServiceError.ContractMismatch({ detail: "the answer was damaged" })))
      : Effect.succeed(other)
  })
