/** A pause for a service that fails. */
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, type Schedule, Stream } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Policy from "./policy.ts"

/**
 * When the circuit opens, and for how long.
 *
 * @category models
 * @since 0.2.0
 */
export interface CircuitBreakerOptions<Method extends string> {
  /**
   * What opens the circuit: so many failures one after another, 5 unless it is given, or a part of the last `size` calls,
   * once there are `minimumCalls`.
   */
  readonly trip?: number | { readonly rate: number; readonly size: number; readonly minimumCalls?: number }
  /** For how long it stays open: 5 seconds, or by a schedule of how often it has opened one after another. */
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown, number>
  /** The methods that share the circuit: all of the service, unless they are given. */
  readonly methods?: ReadonlyArray<Method>
}

/**
 * Refuses calls at once with `Unavailable` for a while after the service has failed too often.
 *
 * Failures are those of this very service: `Unavailable`, `DeadlineExceeded` and `ContractMismatch`. A result and an
 * error of the model are successes. A refusal as `Overloaded` or `InvalidPayload`, an error of a service behind this
 * one, a defect and an interruption are neither. After the time is over one call is let through: if it succeeds the
 * circuit closes, if it fails it opens again. A stream counts when it has ended.
 *
 * The circuit is Effect's `CircuitBreaker`.
 *
 * @category policies
 * @since 0.2.0
 */
export const circuitBreaker = <const Method extends string = never>(
  options: CircuitBreakerOptions<Method> = {}
): Policy.Policy<Method> => {
  const { openFor = "5 seconds", trip = 5 } = options
  const tripPolicy = typeof trip === "number"
    ? CircuitBreaker.consecutive(trip)
    : CircuitBreaker.rate({ threshold: trip.rate, size: trip.size, minimumCalls: trip.minimumCalls ?? trip.size })
  return Policy.make(
    "circuitBreaker",
    options,
    Effect.fnUntraced(function*(service) {
      const layer = CircuitBreaker.layer({ tripPolicy, openDuration: openFor }).pipe(
        Layer.provide(CircuitBreaker.layerStoreMemory())
      )
      const scope = yield* Effect.scope
      const breaker = Context.get(yield* Layer.build(layer), CircuitBreaker.CircuitBreaker)
      const circuit = { key: service.key, classify: classify(service.key) }
      return {
        effect: (method, call) => {
          const refuse = refusal(service.key, method)
          return (payload) => Effect.mapError(breaker.execute(Effect.suspend(() => call(payload)), circuit), refuse)
        },
        stream: (method, call) => {
          const refuse = refusal(service.key, method)
          return (payload) =>
            Stream.unwrap(Effect.gen(function*() {
              const admitted = yield* Deferred.make<void, unknown>()
              const ended = yield* Deferred.make<unknown, unknown>()
              let counted: Effect.Effect<unknown> = Effect.void
              yield* Effect.addFinalizer((exit) => Effect.andThen(Deferred.done(ended, exit), counted))
              // The circuit follows effects: this one lasts as long as the stream.
              const lifetime = Effect.andThen(Deferred.succeed(admitted, undefined), Deferred.await(ended))
              const execution = yield* breaker.execute(lifetime, circuit).pipe(
                Effect.catchCause((cause) => Deferred.failCause(admitted, cause)),
                Effect.forkIn(scope)
              )
              counted = Fiber.await(execution)
              yield* Effect.mapError(Deferred.await(admitted), refuse)
              return call(payload)
            }))
        }
      }
    })
  )
}

const failing = new Set<ServiceError.Reason["_tag"]>(["Unavailable", "DeadlineExceeded", "ContractMismatch"])

const classify = (service: string) => (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") return CircuitBreaker.ignored
  if (!(error.value instanceof ServiceError.ServiceError)) return CircuitBreaker.success
  return error.value.service === service && failing.has(error.value.reason._tag)
    ? CircuitBreaker.failure()
    : CircuitBreaker.ignored
}

const refusal = (service: string, method: Model.Definition) => (error: unknown): unknown =>
  error instanceof CircuitBreaker.CircuitBreakerError
    ? new ServiceError.ServiceError({
      service,
      method: method.name,
      reason: new ServiceError.Unavailable({ detail: describe(error.reason) })
    })
    : error

const describe = (reason: CircuitBreaker.CircuitBreakerErrorReason): string => {
  switch (reason._tag) {
    case "CircuitOpen":
      return `it failed too often, and its circuit is open for another ${Duration.format(reason.retryAfter)}`
    case "CircuitHalfOpen":
      return "it failed too often, and another call tries whether it is back"
    case "CircuitBreakerStoreError":
      return reason.message
  }
}
