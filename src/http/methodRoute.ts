/** One route of the HTTP surface: a method of a service, called with the body of a POST. */
import { Effect, Schema, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import type * as Model from "../Model.ts"
import * as Answer from "./answer.ts"
import * as Body from "./body.ts"

/**
 * Reads the payload, calls the method, and answers its result or its failure.
 *
 * A result of bytes is answered as `application/octet-stream`, a stream as one JSON value a line with its failure as
 * the last line, any other result as JSON.
 */
export const make = (service: string, method: Model.Definition, client: Model.AnyClient) => {
  const call = client[method.name]!
  const answer = method.stream ? answerStream(method) : answerOnce(method)
  return Body.reader(service, method).pipe(
    Effect.flatMap((payload) => answer(call(payload))),
    Effect.catchTags({
      Refused: ({ failure }) => Effect.succeed(Answer.toResponse(failure)),
      ServiceError: (error) => Effect.succeed(Answer.toResponse(Answer.fromServiceError(error)))
    })
  )
}

// The contract says whether a method answers once or streams; the erased client does not, hence the two assertions.
type Call = Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

const answerOnce = (method: Model.Definition) => {
  const encode = encoder(method)
  const describe = Answer.describe(method)
  return (call: Call): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
    Effect.matchEffect(call as Effect.Effect<unknown, unknown>, {
      onFailure: (error) => Effect.sync(() => Answer.toResponse(describe(error))),
      onSuccess: (result) =>
        result instanceof Uint8Array
          ? Effect.succeed(HttpServerResponse.uint8Array(result))
          : Effect.map(encode(result), (json) => HttpServerResponse.jsonUnsafe(json ?? null))
    })
}

const answerStream = (method: Model.Definition) => {
  const encode = encoder(method)
  const describe = Answer.describe(method)
  return (call: Call): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
    const lines = Stream.mapEffect(call as Stream.Stream<unknown, unknown>, encode).pipe(
      Stream.catch((error) => Stream.sync((): unknown => describe(error).body)),
      Stream.map((json) => `${JSON.stringify(json)}\n`),
      Stream.encodeText
    )
    return Effect.succeed(HttpServerResponse.stream(lines, { contentType: "application/x-ndjson" }))
  }
}

const encoder = (method: Model.Definition) => {
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(method.success))
  return (value: unknown): Effect.Effect<unknown> => Effect.orDie(encode(value))
}
