/** A limit on the calls that run at a time. */
import { Context, Effect } from "effect"
import { around, Gate } from "./gate.ts"
import * as Policy from "./policy.ts"
import * as QueueMetrics from "./queueMetrics.ts"

/**
 * How important the calls of a fiber are where they wait in a queue by priority: the higher the earlier; 0 unless set.
 *
 * It is for the calls that the fiber itself makes: a handler that is called does not inherit it.
 *
 * @category services
 * @since 0.2.0
 */
export const Priority: Context.Reference<number> = Context.Reference<number>("chorale/Traffic/Priority", {
  defaultValue: () => 0
})

/**
 * The order in which calls that wait are let in: the first come first, the last come first, or by `Priority` and then
 * the first come first.
 *
 * @category models
 * @since 0.2.0
 */
export type QueueOrder = "fifo" | "lifo" | "priority"

/**
 * What a limit lets in at a time, and how many may wait.
 *
 * @category models
 * @since 0.2.0
 */
export interface LimitOptions<Method extends string> {
  /** How many calls run at a time; for a stream, until it has ended. */
  readonly concurrency: number
  /** How many more may wait: none, unless it is given. */
  readonly queue?: number
  /** `"fifo"`, unless it is given. */
  readonly order?: QueueOrder
  /** The methods that share the limit: all of the service, unless they are given. */
  readonly methods?: ReadonlyArray<Method>
}

/**
 * Runs at most `concurrency` calls at a time and refuses a call when `queue` others are waiting.
 *
 * A call that is refused fails at once with the reason `Overloaded`, whose `retryAfter` is the time in which the queue
 * drains at the rate at which calls have been finishing; before a first call has finished, a second. A call with a
 * deadline is also refused at once where, at that rate, it would not be finished in time; one that still waits at its
 * deadline fails with `DeadlineExceeded`. A call that is interrupted while it waits leaves the queue.
 *
 * `chorale_queue_length` and `chorale_queue_wait_seconds` tell of the queue.
 *
 * In a queue by priority that is full, a call takes the place of the one that came last among those of the lowest
 * priority, if that is lower than its own; that one is refused.
 *
 * **Gotchas**
 *
 * In a queue whose order is `"lifo"`, calls may wait as long as newer ones come, and by priority as long as more important
 * ones do: give them a deadline.
 *
 * **Example** (A model that runs 8 calls at a time)
 *
 * ```ts
 * import { Model, Traffic } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderLive = Reader.toLayer({ read: () => Effect.succeed("text") }).pipe(
 *   Traffic.limit({ concurrency: 8, queue: 64 })
 * )
 * ```
 *
 * @category policies
 * @since 0.2.0
 */
export const limit = <const Method extends string = never>(options: LimitOptions<Method>): Policy.Policy<Method> => {
  const { concurrency, order = "fifo", queue = 0 } = options
  requireWhole("limit", "concurrency", concurrency, 1)
  requireWhole("limit", "queue", queue, 0)
  return Policy.make("limit", options, (service) =>
    Effect.map(
      QueueMetrics.watch(
        { service: service.key, policy: "limit", methods: options.methods?.join() ?? "all" },
        (onTurn) => new Gate({ permits: concurrency, queue, lastFirst: order === "lifo", onTurn })
      ),
      (gate) => around(gate, service.key, 1, order === "priority" ? (fiber) => fiber.getRef(Priority) : () => 0)
    ))
}

/** Throws where an option is no whole number, or below the least that makes sense. */
export const requireWhole = (policy: string, option: string, value: number, least: number): void => {
  if (!(Number.isInteger(value) && value >= least)) {
    throw new RangeError(`Traffic.${policy}: ${option} must be a whole number >= ${least}, not ${value}`)
  }
}
