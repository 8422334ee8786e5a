/** One route of the HTTP surface: a method of a service, called with the body of a POST. */
import { Cause, Context, type Duration, Effect, type Fiber, Schema, SchemaParser, Scope, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Deadline from "../Deadline.ts"
import * as Payload from "../internal/payload.ts"
import type * as Model from "../Model.ts"
import * as Answer from "./answer.ts"
import * as Body from "./body.ts"
import type * as BodyBudget from "./bodyBudget.ts"
import * as EventStream from "./eventStream.ts"
import * as Gate from "./gate.ts"
import type { Limits } from "./limits.ts"
import * as Misfit from "./misfit.ts"
import type * as TimeLimit from "./timeLimit.ts"

type Response = HttpServerResponse.HttpServerResponse

/** A method, and all that its route needs to know of the server. */
export interface Served {
  readonly service: string
  readonly method: Model.Definition
  readonly client: Model.AnyClient
  readonly limits: Limits
  readonly gate: Gate.Gate
  readonly budget: BodyBudget.BodyBudget
  /** The deadline of a call that answers once, where its caller gives none. */
  readonly timeout: Duration.Duration | undefined
  /** What ends a call that answers once and has no deadline. */
  readonly timeLimit: TimeLimit.TimeLimit | undefined
}

/**
 * Reads the payload, calls the method, and answers its result or its failure.
 *
 * The gate is entered once the payload is there: who sends slowly keeps nobody out.
 */
export const make = (
  served: Served
): Effect.Effect<Response, never, HttpServerRequest.HttpServerRequest | Scope.Scope> => {
  const { budget, client, gate, limits, method, service, timeout } = served
  const read = Body.reader(service, method, limits, budget)
  const overloaded = Answer.toResponse(Gate.overloaded(gate))
  // The payload was decoded, and thereby checked.
  const call = Payload.trusting(client[method.name]!)
  const answer = method.stream ? answerStream(served) : answerOnce(served)
  const onFailure = (failure: Answer.Failure) => Effect.succeed(Answer.toResponse(failure))
  return Effect.withFiber<Response, never, HttpServerRequest.HttpServerRequest | Scope.Scope>((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    if (!method.stream && timeout !== undefined) setDeadline(fiber, timeout)
    return Effect.matchEffect(read(request), {
      onFailure,
      onSuccess: (payload) => gate.enter() ? answer(call(payload), request, fiber) : Effect.succeed(overloaded)
    })
  })
}

/** The server restores the context of the fiber when the request is answered. */
const setDeadline = (fiber: Fiber.Fiber<unknown, unknown>, timeout: Duration.Duration) => {
  if (fiber.getRef(Deadline.Current) !== undefined) return
  fiber.setContext(Context.add(fiber.context, Deadline.Current, Deadline.fromNow(fiber, timeout)))
}

// The contract says whether a method answers once or streams; the erased client does not, hence the two assertions.
type Call = Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** A result of bytes is answered as `application/octet-stream` unless the client takes JSON alone. */
const answerOnce = (served: Served) => {
  const { gate, method, timeLimit } = served
  const encode = encoder(served)
  const describe = Answer.describe(method)
  const onFailure = (error: unknown) => Effect.sync(() => Answer.toResponse(describe(error)))
  return (
    call: Call,
    request: HttpServerRequest.HttpServerRequest,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<Response> => {
    const running = fiber.getRef(Deadline.Current) === undefined ? timeLimit?.begin(fiber) : undefined
    const leave = () => {
      gate.leave()
      if (running !== undefined) timeLimit?.end(running)
      return undefined
    }
    return Effect.matchEffect(Effect.onExitPrimitive(call as Effect.Effect<unknown, unknown>, leave), {
      onFailure,
      onSuccess: (result) =>
        result instanceof Uint8Array && !takesJsonAlone(request.headers["accept"])
          ? Effect.succeed(HttpServerResponse.uint8Array(result))
          : Effect.map(encode(result), (json) => HttpServerResponse.jsonUnsafe(json ?? null))
    })
  }
}

const takesJsonAlone = (accept: string | undefined): boolean =>
  accept !== undefined && /^\s*application\/json\s*(;[^,]*)?$/i.test(accept)

/**
 * The first item is awaited before anything is answered, so that a stream which fails at once has the status of its
 * failure. One that fails later tells of it as its last item.
 */
const answerStream = (served: Served) => {
  const { gate, method } = served
  const encode = encoder(served)
  const describe = Answer.describe(method)
  const leave = Effect.sync(() => gate.leave())
  return Effect.fnUntraced(function*(call: Call, request: HttpServerRequest.HttpServerRequest) {
    yield* Scope.addFinalizer(yield* Effect.scope, leave)
    const items = Stream.mapEffect(call as Stream.Stream<unknown, unknown>, encode)
    const pull = yield* Stream.toPull(items)
    const format = EventStream.select(request.headers["accept"])
    return yield* Effect.matchCauseEffect(pull, {
      onSuccess: (first) => {
        const rest = Stream.concat(Stream.fromIterable(first), Stream.fromPull(Effect.succeed(pull)))
        return Effect.succeed(EventStream.toResponse(format, rest, (error) => describe(error).body))
      },
      onFailure: (cause): Effect.Effect<Response> => {
        const reason = cause.reasons.find(Cause.isFailReason)
        if (reason === undefined) return Effect.failCause(Cause.fromReasons(cause.reasons.filter(isNoFailure)))
        return Cause.isDone(reason.error)
          ? Effect.succeed(EventStream.toResponse(format, Stream.empty, () => undefined))
          : Effect.succeed(Answer.toResponse(describe(reason.error)))
      }
    })
  })
}

const isNoFailure = (reason: Cause.Reason<unknown>): reason is Cause.Reason<never> => !Cause.isFailReason(reason)

const encoder = ({ method, service }: Served) => {
  const encode = SchemaParser.encodeUnknownEffect(Schema.toCodecJson(method.success))
  const orDie = Misfit.orDie(service, method)
  return (value: unknown): Effect.Effect<unknown> => orDie(encode(value))
}
