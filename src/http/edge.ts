/**
 * What every request of a server goes through, whatever its route: the token, the limit of calls, the deadline and the
 * trace of its caller, and an answer in JSON for what failed.
 */
import { ByteSize, Cause, Context, Effect, type Fiber, Option, Tracer } from "effect"
import {
  HttpIncomingMessage,
  HttpServerError,
  HttpServerRequest,
  type HttpServerResponse,
  HttpTraceContext
} from "effect/http"
import * as Deadline from "../Deadline.ts"
import * as Answer from "./answer.ts"
import * as Compression from "./compression.ts"
import * as RequestDeadline from "./deadline.ts"
import * as Gate from "./gate.ts"
import type { Limits } from "./limits.ts"
import type { Arrival, Observer } from "./observer.ts"
import * as TimeLimit from "./timeLimit.ts"
import * as Token from "./token.ts"

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest

/** What a path is to the edge. */
export interface Known {
  /** Whether it answers without a token. */
  readonly open: boolean
  /**
   * Whether it counts as a call from its beginning, and has the size of its body bounded here. The methods enter the
   * gate when their payload is there, and bound it themselves.
   */
  readonly gated: boolean
}

export interface Options {
  readonly known: (path: string) => Known
  readonly limits: Limits
  readonly gate: Gate.Gate
  readonly observer: Observer
  readonly isAuthorized: Token.IsAuthorized | undefined
  readonly notFound: (path: string, request: Request) => Answer.Failure
}

/** Goes around the handler of a whole router. */
export const make = (options: Options) => {
  const { gate, isAuthorized, known, limits, notFound, observer } = options
  const answerCause = causeAnswerer(limits, notFound)
  const overloaded = Gate.overloaded(gate)

  /** Why a request is not handled, where it is not. */
  const refuse = (request: Request, { open }: Known): Answer.Failure | undefined =>
    open || isAuthorized === undefined || isAuthorized(request.headers["authorization"])
      ? Compression.refuse(request)
      : Token.unauthorized

  const enter = <E, R>(
    handler: Effect.Effect<Response, E, R>,
    fiber: Fiber.Fiber<unknown, unknown>,
    arrival: Arrival
  ): Effect.Effect<Response, E, R | Request> => {
    const { path, request } = arrival
    const kind = known(path)
    const deadline = RequestDeadline.read(fiber, request.headers)
    const refused = refuse(request, kind)
    if (refused !== undefined) return Effect.succeed(Answer.toResponse(refused))
    if (RequestDeadline.isFailure(deadline)) return Effect.succeed(Answer.toResponse(deadline))
    if (deadline !== undefined) observer.timed(fiber, deadline)
    if (kind.gated) {
      if (!gate.enter()) return Effect.succeed(Answer.toResponse(overloaded))
      arrival.onEnd = () => gate.leave()
    }
    const context = contextOf(fiber.context, request, kind.gated ? limits : undefined, deadline)
    // The server restores the context of the fiber when the request is answered.
    if (context !== fiber.context) fiber.setContext(context)
    return Compression.undo(request, handler)
  }

  return <E, R>(handler: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, R | Request> =>
    Effect.withFiber<Response, E, R | Request>((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      const arrival = observer.begin(request, pathOf(request.url))
      return Effect.matchCauseEffect(enter(handler, fiber, arrival), {
        onSuccess: (response) => observer.answered(fiber, arrival, response),
        onFailure: (cause) => {
          if (isClientGone(cause)) {
            observer.abandoned(fiber, arrival)
            return Effect.failCause(cause)
          }
          return Effect.flatMap(
            answerCause(cause, arrival),
            (failure) => observer.answered(fiber, arrival, Answer.toResponse(failure))
          )
        }
      })
    })
}

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

const contextOf = (
  context: Context.Context<never>,
  request: Request,
  limits: Limits | undefined,
  deadline: Deadline.Deadline | undefined
): Context.Context<never> => {
  // Each addition makes every look-up of the request slower.
  let result = limits === undefined
    ? context
    : Context.add(context, HttpIncomingMessage.MaxBodySize, limits.maxBodySize)
  if (deadline !== undefined) result = Context.add(result, Deadline.Current, deadline)
  // Where a tracer is at work, it has made a span of the request that continues the trace of the caller.
  if (Context.getOrUndefined(context, Tracer.ParentSpan) === undefined && "traceparent" in request.headers) {
    const parent = HttpTraceContext.w3c(request.headers)
    if (Option.isSome(parent)) result = Context.add(result, Tracer.ParentSpan, parent.value)
  }
  return result
}

/** Whether nobody is there any more who could read an answer. */
const isClientGone = (cause: Cause.Cause<unknown>): boolean =>
  Cause.hasInterruptsOnly(cause) && hasAnnotation(cause, HttpServerError.ClientAbort.key)

const hasAnnotation = (cause: Cause.Cause<unknown>, key: string): boolean =>
  cause.reasons.some(({ annotations }) => annotations.has(key))

/** Turns whatever a handler did not answer itself into an answer. */
const causeAnswerer = ({ maxBodySize }: Limits, notFound: Options["notFound"]) => {
  const limit = ByteSize.format(maxBodySize, { system: "binary" })
  const tooLarge = Answer.failure(413, "PayloadTooLarge", `the body is larger than the ${limit} that this server takes`)
  return (cause: Cause.Cause<unknown>, { path, request }: Arrival): Effect.Effect<Answer.Failure> => {
    const reason = requestFailure(cause)
    if (reason?._tag === "RouteNotFound") return Effect.succeed(notFound(path, request))
    if (reason?._tag === "RequestParseError") {
      return Effect.succeed(reason.reason === "BodyTooLarge" ? tooLarge : unreadable)
    }
    if (Cause.hasInterruptsOnly(cause)) {
      return Effect.succeed(hasAnnotation(cause, TimeLimit.Exceeded.key) ? TimeLimit.exceeded : Answer.stopping)
    }
    return Effect.as(Effect.logError("A call failed with a defect", cause), Answer.defect)
  }
}

const unreadable = Answer.failure(400, "InvalidPayload", "the body could not be read")

const requestFailure = (cause: Cause.Cause<unknown>): HttpServerError.HttpServerErrorReason | undefined => {
  for (const reason of cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    if (error instanceof HttpServerError.HttpServerError) return error.reason
  }
  return undefined
}
