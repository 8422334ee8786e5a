/** Further attempts for calls that may succeed when they are made again. */
import { Clock, Duration, Effect, type Fiber, Pull, Schedule, Stream } from "effect"
import * as Deadline from "../Deadline.ts"
import * as ServiceError from "../ServiceError.ts"
import { requireWhole } from "./limit.ts"
import * as Policy from "./policy.ts"

/**
 * How often, when and at most what part of the calls are made again.
 *
 * @category models
 * @since 0.2.0
 */
export interface RetryOptions<Method extends string> {
  /** How many more attempts a call may have: 2. */
  readonly times?: number
  /** How long it waits before each: 50 milliseconds, doubling, with jitter. A call that the schedule ends is given up. */
  readonly schedule?: Schedule.Schedule<unknown, unknown>
  /** The retries for each call, in the mean over all calls: 0.2, which is one for every five calls. */
  readonly budget?: number
  /** Retries that are saved up for a time with few calls, and there at the start: 10. */
  readonly reserve?: number
  /** The methods that share the budget: all of the service, unless they are given. */
  readonly methods?: ReadonlyArray<Method>
}

/**
 * Makes a call again where that may help: it failed with a `ServiceError` of this very service whose reason is retryable.
 *
 * An error of the model, of a service behind this one, or a defect is not retried; nor is a stream of which an item has
 * arrived. After `Overloaded` a call waits for `retryAfter` and then for the delay of the schedule. An attempt that
 * could not begin before the deadline of the call is not waited for: the call fails at once with the error it has.
 *
 * All calls together make at most `budget` retries for each call, beyond a `reserve`: when a service is down for all,
 * retries add a fifth to its load and do not multiply it. With `reserve: 0` retries never exceed that part of the calls.
 * The budget is a token bucket, as in the `RetryBudget` of Finagle and the retry throttling of gRPC (proposal A6).
 *
 * **Example** (Trying a remote service again)
 *
 * ```ts
 * import { Model, Remote, Traffic } from "chorale"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderRemote = Traffic.of(Reader, Remote.layerHttp(Reader, { url: "http://127.0.0.1:3000" })).pipe(
 *   Traffic.retry({ times: 2 }),
 *   Traffic.deadline("2 seconds")
 * )
 * ```
 *
 * @category policies
 * @since 0.2.0
 */
export const retry = <const Method extends string = never>(
  options: RetryOptions<Method> = {}
): Policy.Policy<Method> => {
  const { budget = 0.2, reserve = 10, schedule = exponential, times = 2 } = options
  requireWhole("retry", "times", times, 0)
  if (!(budget >= 0)) throw new RangeError(`Traffic.retry: budget must be a number >= 0, not ${budget}`)
  if (!(reserve >= 0)) throw new RangeError(`Traffic.retry: reserve must be a number >= 0, not ${reserve}`)
  return Policy.make("retry", options, (service) =>
    Effect.sync(() => {
      const bucket = new RetryBudget(budget, reserve)
      const begin = () => {
        bucket.deposit()
        return new Attempts(service.key, times, schedule, bucket)
      }
      return {
        effect: (_, call) => (payload) => Effect.suspend(() => retryEffect(begin(), () => call(payload))),
        stream: (_, call) => (payload) => Stream.suspend(() => retryStream(begin(), () => call(payload)))
      }
    }))
}

const exponential = Schedule.exponential("50 millis").pipe(Schedule.jittered)

const retryEffect = (
  attempts: Attempts,
  call: () => Effect.Effect<unknown, unknown>
): Effect.Effect<unknown, unknown> =>
  Effect.catch(call(), (error) => Effect.flatMap(attempts.next(error), () => retryEffect(attempts, call)))

const retryStream = (
  attempts: Attempts,
  call: () => Stream.Stream<unknown, unknown>
): Stream.Stream<unknown, unknown> =>
  Stream.suspend(() => {
    let begun = false
    return call().pipe(
      Stream.mapArray((items) => {
        begun = true
        return items
      }),
      Stream.catch((error) =>
        begun
          ? Stream.fail(error)
          : Stream.unwrap(Effect.map(attempts.next(error), () => retryStream(attempts, call)))
      )
    )
  })

/** Credit for retries: a part of one for each call, up to what may be saved. */
class RetryBudget {
  readonly #ratio: number
  readonly #most: number
  #balance: number

  constructor(ratio: number, reserve: number) {
    this.#ratio = ratio
    this.#most = Math.max(1, reserve)
    this.#balance = reserve
  }

  deposit(): void {
    this.#balance = Math.min(this.#most, this.#balance + this.#ratio)
  }

  withdraw(): boolean {
    // Five times 0.2 is a little less than 1 when it is added up.
    if (this.#balance < 1 - 1e-9) return false
    this.#balance -= 1
    return true
  }
}

type Step = (now: number, error: unknown) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

/** What is left of the attempts of one call. */
class Attempts {
  readonly #service: string
  readonly #schedule: Schedule.Schedule<unknown, unknown>
  readonly #budget: RetryBudget
  #times: number
  #step: Step | undefined

  constructor(service: string, times: number, schedule: Schedule.Schedule<unknown, unknown>, budget: RetryBudget) {
    this.#service = service
    this.#times = times
    this.#schedule = schedule
    this.#budget = budget
  }

  /** Waits for the next attempt, or fails with the error of the last where there is none. */
  next(error: unknown): Effect.Effect<void, unknown> {
    if (!(error instanceof ServiceError.ServiceError && error.service === this.#service && error.isRetryable)) {
      return Effect.fail(error)
    }
    if (this.#times === 0) return Effect.fail(error)
    this.#times--
    const after = error.reason._tag === "Overloaded" ? Duration.toMillis(error.reason.retryAfter) : 0
    return Effect.withFiber((fiber) =>
      Pull.matchEffect(this.#delay(fiber, error), {
        onSuccess: ([, delay]) => this.#wait(fiber, error, after + Duration.toMillis(delay)),
        onFailure: (cause) => Effect.failCause(cause),
        onDone: () => Effect.fail(error)
      })
    )
  }

  #delay(fiber: Fiber.Fiber<unknown, unknown>, error: unknown) {
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    if (this.#step !== undefined) return this.#step(now, error)
    return Effect.flatMap(Schedule.toStep(this.#schedule), (step) => {
      this.#step = step
      return step(now, error)
    })
  }

  #wait(fiber: Fiber.Fiber<unknown, unknown>, error: unknown, millis: number): Effect.Effect<void, unknown> {
    const deadline = fiber.getRef(Deadline.Current)
    if (deadline !== undefined && Deadline.now(fiber) + millis >= deadline.at) return Effect.fail(error)
    if (!this.#budget.withdraw()) return Effect.fail(error)
    return millis === 0 ? Effect.void : Effect.sleep(Duration.millis(millis))
  }
}
