/** Answers that are given again for equal payloads. */
import { ByteSize, Cause, Duration, Effect, Exit } from "effect"
import * as Deadline from "../Deadline.ts"
import * as Deadlines from "../internal/deadline.ts"
import * as Payload from "../internal/payload.ts"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import { Answers } from "./answers.ts"
import * as Fingerprint from "./fingerprint.ts"
import * as Policy from "./policy.ts"

/**
 * Which answers are kept, for how long, and in how much memory.
 *
 * @category models
 * @since 0.2.0
 */
export interface CacheOptions<Method extends string> {
  /** The methods whose answer depends on nothing but the payload. */
  readonly methods: ReadonlyArray<Method>
  /** The memory for all answers together; those used least recently make room. */
  readonly capacity: ByteSize.Input
  /** How long an answer is given again. */
  readonly timeToLive: Duration.Input
  /** How long an error of the model is given again: not at all, unless it is given. */
  readonly errorTimeToLive?: Duration.Input
}

/**
 * Answers a call from memory where the service has answered an equal one.
 *
 * Two payloads are equal where they have the same values and bytes, and for objects of classes where the contract encodes
 * them alike; long ones are compared by their SHA-256. Equal calls at the same time share one computation, which goes on while one of them waits for it: it is
 * interrupted with the last. It runs with the trace and the deadline of the call that began it; where that deadline
 * ends, a call with a later one begins anew. A `ServiceError` and a defect are never kept.
 *
 * Methods that return streams do not compile here.
 *
 * **Gotchas**
 *
 * All callers are given the same object: do not change a tensor that such a method returned.
 *
 * **Example** (An embedding that is computed once for the same text)
 *
 * ```ts
 * import { Model, Tensor, Traffic } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Embedder extends Model.Service<Embedder>()("Embedder", [
 *   Rpc.make("embed", { payload: { text: Schema.String }, success: Tensor.schema("float32", [384]) })
 * ]) {}
 *
 * export const EmbedderLive = Embedder.toLayer({
 *   embed: () => Effect.succeed(Tensor.zeros("float32", [384]))
 * }).pipe(
 *   Traffic.cache({ methods: ["embed"], capacity: "64 MiB", timeToLive: "10 minutes" })
 * )
 * ```
 *
 * @category policies
 * @since 0.2.0
 */
export const cache = <const Method extends string>(options: CacheOptions<Method>): Policy.EffectPolicy<Method> => {
  const capacity = ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(options.capacity))
  const timeToLive = lifetimes(options)
  return Policy.make(
    "cache",
    options,
    Effect.fnUntraced(function*(service) {
      const answers = new Answers({ capacity, timeToLive, scope: yield* Effect.scope })
      return {
        effect: (method, call) => cached(service.key, method, call, answers),
        stream: (method) => {
          throw new TypeError(`${service.key}.${method.name}: Traffic.cache does not keep streams`)
        }
      }
    })
  )
}

const lifetimes = (options: CacheOptions<string>) => {
  const success = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive))
  const failure = Duration.toMillis(Duration.fromInputUnsafe(options.errorTimeToLive ?? Duration.zero))
  return (exit: Exit.Exit<unknown, unknown>): number => {
    if (Exit.isSuccess(exit)) return success
    const ofModel = exit.cause.reasons.every((reason) =>
      Cause.isFailReason(reason) && !(reason.error instanceof ServiceError.ServiceError)
    )
    return ofModel ? failure : 0
  }
}

const cached = (
  service: string,
  method: Model.Definition,
  call: Policy.EffectMethod,
  answers: Answers
): Policy.EffectMethod => {
  const check = Payload.check(service, method)
  const fingerprint = Fingerprint.make(method)
  const keepDeadline = Deadlines.forEffect(service, method.name)
  const answer = (key: string, payload: unknown): Effect.Effect<unknown, unknown> =>
    Effect.withFiber((fiber) =>
      answers.find(key, fiber) ?? keepDeadline(
        fiber,
        Effect.flatMap(answers.compute(key, call, payload), ({ cutShort, exit }) =>
          cutShort && isTooLate(exit) ? again(key, payload, exit) : exit)
      )
    )
  /** The deadline of the call that began the computation was over; that of this call may be later. */
  const again = (key: string, payload: unknown, exit: Exit.Exit<unknown, unknown>) =>
    Effect.flatMap(
      Deadline.remaining,
      (left) => left._tag === "None" || Duration.toMillis(left.value) > 0 ? answer(key, payload) : exit
    )
  return (payload) =>
    Effect.flatMap(check(payload), (valid) => Effect.flatMap(fingerprint(valid), (key) => answer(key, payload)))
}

const isTooLate = (exit: Exit.Exit<unknown, unknown>): boolean => {
  const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : undefined
  return error?._tag === "Some" && error.value instanceof ServiceError.ServiceError &&
    error.value.reason._tag === "DeadlineExceeded"
}
