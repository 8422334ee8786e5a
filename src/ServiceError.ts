/**
 * The one error the library itself adds to a call.
 *
 * A method declares what its model can say. `ServiceError` covers what can go
 * wrong around any model, wherever it runs: the replica cannot be reached, is
 * full, is too slow, speaks another version of the contract, or refuses the
 * payload. It is part of every method, local ones included, so moving a
 * service never changes the type of a program that calls it.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { stackless } from "./internal/stackless.ts"

/**
 * No replica answered: the connection was refused, a worker exited, a server is shutting down.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unavailable extends stackless(
  Schema.TaggedError<Unavailable>()("Unavailable", {
    detail: Schema.String
  }, { httpApiStatus: 503 })
) {
  readonly isRetryable = true
  override get message(): string {
    return `no replica answered: ${this.detail}`
  }
}

/**
 * The replica is at its concurrency or queue limit and refused the call at once.
 *
 * `retryAfter` is how long its queue needs to drain; on the wire it is a number of milliseconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class Overloaded extends stackless(
  Schema.TaggedError<Overloaded>()("Overloaded", {
    retryAfter: Schema.DurationFromMillis
  }, { httpApiStatus: 429 })
) {
  readonly isRetryable = true
  override get message(): string {
    return "the replica is at its limit"
  }
}

/**
 * The call did not finish before its deadline.
 *
 * `budget` is the time the call was given; on the wire it is a number of milliseconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeadlineExceeded extends stackless(
  Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
    budget: Schema.DurationFromMillis
  }, { httpApiStatus: 504 })
) {
  readonly isRetryable = false
  override get message(): string {
    return "the call did not finish before its deadline"
  }
}

/**
 * Caller and replica disagree about the contract.
 *
 * @category errors
 * @since 0.1.0
 */
export class ContractMismatch extends stackless(
  Schema.TaggedError<ContractMismatch>()("ContractMismatch", {
    detail: Schema.String
  }, { httpApiStatus: 502 })
) {
  readonly isRetryable = false
  override get message(): string {
    return `caller and replica disagree about the contract: ${this.detail}`
  }
}

/**
 * The payload does not fit the schema of the method; `issue` says where and why.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidPayload extends stackless(
  Schema.TaggedError<InvalidPayload>()("InvalidPayload", {
    issue: Schema.String
  }, { httpApiStatus: 400 })
) {
  readonly isRetryable = false
  override get message(): string {
    return `the payload does not fit the contract: ${this.issue}`
  }
}

/**
 * What went wrong around a call.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Reason = Schema.Union([Unavailable, Overloaded, DeadlineExceeded, ContractMismatch, InvalidPayload])

/**
 * What went wrong around a call.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type

/**
 * Whether a value is one of the reasons of this module.
 *
 * @category guards
 * @since 0.1.0
 */
export const isReason = (u: unknown): u is Reason => Reason.members.some((reason) => u instanceof reason)

/**
 * A call failed outside the model.
 *
 * `service` names the service whose call failed, which is not always the one you called: retry only when it is, and
 * only when `isRetryable` holds. Recover from one reason with `Effect.catchReason`.
 *
 * **Example** (Answering without a service that is down)
 *
 * ```ts
 * import { ServiceError } from "chorale"
 * import { Effect } from "effect"
 *
 * declare const call: Effect.Effect<string, ServiceError.ServiceError>
 *
 * export const answer = call.pipe(
 *   Effect.catchReason("ServiceError", "Unavailable", () => Effect.succeed("try again later"))
 * )
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class ServiceError extends stackless(
  Schema.TaggedError<ServiceError>()("ServiceError", {
    service: Schema.String,
    method: Schema.String,
    reason: Reason
  })
) {
  /** Whether the same call may succeed when it is made again. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }

  override get message(): string {
    return `${this.service}.${this.method}: ${this.reason.message}`
  }
}
