/** A route of a surface that others have defined, whose failures are told in the words of that surface. */
import { type ByteSize, Cause, type Duration, Effect, Result } from "effect"
import { HttpIncomingMessage, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import * as Deadline from "../Deadline.ts"
import * as Answer from "./answer.ts"
import * as Json from "./json.ts"
import type { Limits } from "./limits.ts"
import * as RpcBody from "./rpcBody.ts"

type Response = HttpServerResponse.HttpServerResponse

export interface Options {
  readonly limits: Limits
  /** What a call is given whose caller says nothing. */
  readonly timeout: Duration.Input
  readonly toResponse: (failure: Answer.Failure) => Response
}

/** Answers every failure of a handler, defects too: they are logged and not told. */
export const make = <R>(
  handler: Effect.Effect<Response, Answer.Failure, R>,
  { limits, timeout, toResponse }: Options
): Effect.Effect<Response, never, R> =>
  handler.pipe(
    Deadline.within(timeout),
    withLimit(limits.maxBodySize),
    Effect.catchCause((cause) => {
      const failed = cause.reasons.find(Cause.isFailReason)
      if (failed !== undefined) return Effect.sync(() => toResponse(failed.error))
      if (Cause.hasInterruptsOnly(cause)) {
        return Effect.failCause(Cause.fromReasons<never>(cause.reasons.filter(isOther)))
      }
      return Effect.as(Effect.logError("A call failed with a defect", cause), toResponse(Answer.defect))
    })
  )

const isOther = (reason: Cause.Reason<unknown>): reason is Cause.Reason<never> => !Cause.isFailReason(reason)

/** The body of the request of the fiber. */
export const readBody: Effect.Effect<Uint8Array, Answer.Failure, HttpServerRequest.HttpServerRequest> = Effect.mapError(
  RpcBody.read,
  (error) => error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge" ? tooLarge : unreadable
)

/** The limit of this surface, unless that of the server around it is lower. */
export const withLimit =
  (limit: ByteSize.ByteSize) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const around = fiber.getRef(HttpIncomingMessage.MaxBodySize)
      return Effect.provideService(
        self,
        HttpIncomingMessage.MaxBodySize,
        around !== undefined && Number(around) < Number(limit) ? around : limit
      )
    })

/** The value of a body that is JSON. */
export const parseJson = (body: Uint8Array, { maxJsonDepth }: Limits): Result.Result<unknown, Answer.Failure> => {
  try {
    return Result.succeed(Json.parse(body, maxJsonDepth))
  } catch (error) {
    return Result.fail(error instanceof Json.JsonError ? invalid(error.message) : unreadable)
  }
}

/** A request that asks for what there is not. */
export const invalid = (message: string): Answer.Failure => Answer.failure(400, "InvalidPayload", message)

const tooLarge = Answer.failure(413, "PayloadTooLarge", "the body is larger than this server takes")
const unreadable = invalid("the body could not be read")
