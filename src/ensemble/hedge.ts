/**
 * A second attempt for a call that takes longer than it should.
 *
 * @since 0.2.0
 */
import { Duration, Effect, Exit, Function, Result } from "effect"
import * as Deadline from "../Deadline.ts"
import { decideByResult } from "./decide.ts"
import * as Latencies from "./latencies.ts"

/**
 * When further attempts begin, and how many there are at most.
 *
 * @category models
 * @since 0.2.0
 */
export interface HedgeOptions {
  /** How long each attempt has before the next begins beside it. */
  readonly after: Duration.Input
  /** The first one included; 2 by default. */
  readonly attempts?: number | undefined
}

/**
 * Runs an effect, and a second time beside it when it has not ended after a while; the first answer wins.
 *
 * The attempts that lost are interrupted. An attempt that fails leaves the answer to those that run; when all that were
 * started have failed, the first error is given, and no further attempt is started: this is a remedy for slowness, not
 * for failure. Only for calls that may be made twice. The number of the winner, from 1, is the attribute
 * `ensemble.attempt` of the present span.
 *
 * **Example** (No more than 50 milliseconds for one slow replica)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const embed: Effect.Effect<Float32Array>
 *
 * export const hedged = embed.pipe(Ensemble.hedge({ after: "50 millis" }))
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const hedge: {
  (options: HedgeOptions): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, options: HedgeOptions): Effect.Effect<A, E, R>
} = Function.dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, options: HedgeOptions): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const attempts = checkAttempts(options.attempts)
      return attempt(self, self, Duration.toMillis(options.after), attempts)
    })
)

/**
 * When a call counts as slow, by the calls before it.
 *
 * @category models
 * @since 0.2.0
 */
export interface MakeHedgeOptions extends HedgeOptions {
  /** The part of calls that is expected to end before a second attempt; 0.95 by default. */
  readonly quantile?: number | undefined
  /** How many of the last calls are looked at, at least `minimum`; 100 by default. */
  readonly window?: number | undefined
  /** How many calls must have been seen before their latencies replace `after`; 20 by default. */
  readonly minimum?: number | undefined
}

/**
 * Hedges calls of one kind, and learns from them how long to wait.
 *
 * @category models
 * @since 0.2.0
 */
export interface Hedge {
  /** As `hedge`, after the present `delay`. */
  readonly run: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How long a call that began now would have before its second attempt. */
  readonly delay: Effect.Effect<Duration.Duration>
}

/**
 * Makes a hedge whose second attempts begin when a call takes longer than 95 % of the calls before it.
 *
 * So about one call in twenty is made twice, whatever the latency is (Dean and Barroso, "The Tail at Scale", 2013).
 * Make one for each kind of call. First attempts are measured: an attempt that fails does not count, and one that was
 * cut off counts for as long as it ran when that is longer than the delay.
 *
 * **Example** (A hedge for one method)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import { Effect } from "effect"
 *
 * declare const embed: (text: string) => Effect.Effect<Float32Array>
 *
 * export const hedgedEmbed = Effect.gen(function*() {
 *   const hedge = yield* Ensemble.makeHedge({ after: "100 millis" })
 *   return (text: string) => hedge.run(embed(text))
 * })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const makeHedge = (options: MakeHedgeOptions): Effect.Effect<Hedge> =>
  Effect.sync(() => {
    const attempts = checkAttempts(options.attempts)
    const { minimum = 20, quantile = 0.95, window = 100 } = options
    if (!(window >= minimum)) {
      throw new RangeError(`a window of ${window} calls never holds the ${minimum} that are needed`)
    }
    const latencies = Latencies.make(window)
    const initial = Duration.toMillis(options.after)
    const delay = () => latencies.count() < minimum ? initial : latencies.quantile(quantile)
    return {
      run: (self) =>
        Effect.withFiber((fiber) => {
          const after = delay()
          const start = Deadline.now(fiber)
          const measured = Effect.onExit(self, (exit) =>
            Effect.sync(() => {
              const elapsed = Deadline.now(fiber) - start
              if (Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && elapsed > after)) latencies.record(elapsed)
            }))
          return attempt(measured, self, after, attempts)
        }),
      delay: Effect.sync(() => Duration.millis(delay()))
    }
  })

const attempt = <A, E, R>(
  first: Effect.Effect<A, E, R>,
  further: Effect.Effect<A, E, R>,
  after: number,
  attempts: number
): Effect.Effect<A, E, R> => {
  let started = 1
  let error: { readonly first: E } | undefined
  let failed = 0
  const later = Effect.suspend(() => {
    started++
    return further
  })
  const members = Array.from(
    { length: attempts },
    (_, index) => index === 0 ? first : Effect.delay(later, Duration.millis(after * index))
  )
  return decideByResult(members, {
    onResult: (result, index): Effect.Effect<A, E> | undefined => {
      if (Result.isSuccess(result)) {
        return Effect.as(Effect.annotateCurrentSpan("ensemble.attempt", index + 1), result.success)
      }
      error ??= { first: result.failure }
      failed++
      return failed === started ? Effect.fail(error.first) : undefined
    },
    atEnd: () => Effect.die(new Error("a hedge ends with the last of its attempts"))
  })
}

const checkAttempts = (attempts = 2): number => {
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new RangeError(`attempts is ${attempts}, and not a whole number from 1 up`)
  }
  return attempts
}
