/** The embeddings of an OpenAI-compatible server, as the method of a service. */
import { Effect, type Redacted, Schema, SchemaParser } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Base64 from "../http/base64.ts"
import * as ForeignCall from "../http/foreignCall.ts"
import * as Reason from "../http/reason.ts"
import type * as Model from "../Model.ts"
import type * as ServiceError from "../ServiceError.ts"
import * as Embedder from "./embedder.ts"

export interface Options {
  readonly url: string
  readonly apiKey?: Redacted.Redacted | undefined
  readonly model: string
  readonly dimensions?: number | undefined
}

const Response = Schema.Struct({
  data: Schema.Array(Schema.Struct({
    index: Schema.Int,
    embedding: Schema.Union([Schema.String, Schema.Array(Schema.Finite)])
  }))
})

const decodeResponse = SchemaParser.decodeUnknownEffect(Schema.fromJsonString(Response))

/** The function of the method. */
export const make = (
  method: Model.Definition,
  shape: Embedder.Shape,
  { apiKey, dimensions, model, url }: Options
): Effect.Effect<
  (payload: Readonly<Record<string, unknown>>) => Effect.Effect<unknown, ServiceError.Reason>,
  never,
  HttpClient.HttpClient
> =>
  Effect.map(HttpClient.HttpClient, (client) => {
    const address = `${url.replace(/\/+$/, "")}/embeddings`
    const mismatch = (what: string) => Reason.mismatch(address, what)
    const toResult = Embedder.toResult(shape, method)
    const post = HttpClientRequest.post(address).pipe(
      HttpClientRequest.acceptJson,
      apiKey === undefined ? (request) => request : HttpClientRequest.bearerToken(apiKey)
    )
    return Effect.fnUntraced(function*(payload) {
      const input = payload[shape.field]
      const body = { input, model, encoding_format: "base64", ...dimensions === undefined ? {} : { dimensions } }
      const request = HttpClientRequest.bodyJsonUnsafe(post, body)
      const response = yield* ForeignCall.send(client, request, toReason)
      const text = yield* ForeignCall.receive(address, response.text)
      const { data } = yield* Effect.mapError(decodeResponse(text), () => mismatch("it answered no embeddings"))
      const vectors = data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => toVector(embedding))
      const texts = shape.many && Array.isArray(input) ? input.length : 1
      if (vectors.length !== texts) {
        return yield* mismatch(`it answered ${vectors.length} embeddings for ${texts} texts`)
      }
      const result = vectors.every((vector) => vector !== undefined) ? toResult(vectors) : undefined
      return result ?? (yield* mismatch(`its embeddings of ${vectors[0]?.length ?? 0} numbers do not fit the contract`))
    })
  })

const toVector = (embedding: string | ReadonlyArray<number>): Float32Array | undefined => {
  if (typeof embedding !== "string") return Float32Array.from(embedding)
  const bytes = Base64.decode(embedding)
  return bytes === undefined || bytes.byteLength % 4 !== 0
    ? undefined
    : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

const Failure = Schema.fromJsonString(Schema.Struct({
  error: Schema.Union([Schema.String, Schema.Struct({ message: Schema.String })])
}))

const decodeFailure = Schema.decodeUnknownOption(Failure)

const toReason = (refusal: ForeignCall.Refusal): ServiceError.Reason => {
  const failure = decodeFailure(refusal.text)
  const error = failure._tag === "Some" ? failure.value.error : refusal.text.slice(0, 200)
  return ForeignCall.toReason(refusal, typeof error === "string" ? error : error.message)
}
