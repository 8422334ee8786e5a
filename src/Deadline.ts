/**
 * The time by which the calls of a fiber must have finished.
 *
 * A deadline is set once, where a request enters, and holds for every call
 * below it, wherever the services run: a hop carries what is left of it as a
 * relative time, so the clocks of two machines are never compared.
 *
 * @since 0.2.0
 */
import { Clock, Context, Duration, Effect, type Fiber, Function, Option } from "effect"

/**
 * A deadline that was set: when it ends on the monotonic clock of this process, and the time it was given.
 *
 * @category models
 * @since 0.2.0
 */
export interface Deadline {
  /** In milliseconds of the monotonic clock, whose origin is arbitrary. */
  readonly at: number
  readonly budget: Duration.Duration
}

/**
 * The deadline of the present fiber; `undefined` unless one was set.
 *
 * @category services
 * @since 0.2.0
 */
export const Current: Context.Reference<Deadline | undefined> = Context.Reference<Deadline | undefined>(
  "chorale/Deadline",
  {
    defaultValue: () => undefined
  }
)

/**
 * Gives every service call inside an effect at most this much time from now on.
 *
 * A call that is not done by then is interrupted and fails with the `ServiceError` reason `DeadlineExceeded`; a call
 * that begins later fails at once, before any work. What is no service call is not interrupted. A deadline that is
 * already set and ends earlier stays.
 *
 * **Example** (A pipeline that has 200 milliseconds)
 *
 * ```ts
 * import { Deadline, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const program = Effect.gen(function*() {
 *   const reader = yield* Reader
 *   return yield* reader.read()
 * }).pipe(Deadline.within("200 millis"))
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const within: {
  (budget: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: Duration.Input): Effect.Effect<A, E, R>
} = Function.dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: Duration.Input): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const current = fiber.getRef(Current)
      const set = fromNow(fiber, Duration.fromInputUnsafe(budget))
      return Effect.provideService(self, Current, current !== undefined && current.at <= set.at ? current : set)
    })
)

/**
 * What is left until the deadline of this fiber, at least zero; none where no deadline is set.
 *
 * @category getters
 * @since 0.2.0
 */
export const remaining: Effect.Effect<Option.Option<Duration.Duration>> = Effect.withFiber((fiber) => {
  const current = fiber.getRef(Current)
  return Effect.succeed(
    current === undefined ? Option.none() : Option.some(Duration.millis(Math.max(0, current.at - now(fiber))))
  )
})

/**
 * A deadline that ends so long from now.
 *
 * @category constructors
 * @since 0.2.0
 */
export const fromNow = (fiber: Fiber.Fiber<unknown, unknown>, budget: Duration.Duration): Deadline => ({
  at: now(fiber) + Duration.toMillis(budget),
  budget
})

/**
 * The milliseconds of the monotonic clock that deadlines are compared with.
 *
 * @category getters
 * @since 0.2.0
 */
export const now = (fiber: Fiber.Fiber<unknown, unknown>): number =>
  Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1e6
