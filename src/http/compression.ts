/** Bodies that a client has compressed: they are read as they were before, within the limit of the server. */
import type { Effect } from "effect"
import { HttpMiddleware, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import * as Answer from "./answer.ts"

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest

const decompress = HttpMiddleware.decompression()

/** Hands a request on whose body is no longer compressed. What is not, costs nothing. */
export const undo = <E, R>(
  { headers }: Request,
  app: Effect.Effect<Response, E, R>
): Effect.Effect<Response, E, R | Request> => headers["content-encoding"] === undefined ? app : decompress(app)

/** Why a body is not read, where it is compressed in another way. */
export const refuse = ({ headers }: Request): Answer.Failure | undefined => {
  const codings = headers["content-encoding"]
  return codings === undefined || known.test(codings) ? undefined : unknown
}

const known = /^(\s*(gzip|deflate|identity)\s*(,|$))+$/i

const unknown = Answer.failure(
  415,
  "UnsupportedMediaType",
  "a body may be compressed with gzip or deflate, and with nothing else",
  { "accept-encoding": "gzip, deflate" }
)
