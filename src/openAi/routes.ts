/** The routes of an OpenAI-compatible server of embeddings. */
import { type Duration, Effect, Schema, SchemaIssue, SchemaParser } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Answer from "../http/answer.ts"
import * as Base64 from "../http/base64.ts"
import * as ForeignRoute from "../http/foreignRoute.ts"
import type { Limits } from "../http/limits.ts"
import type * as Model from "../Model.ts"
import * as Embedder from "./embedder.ts"

/** An embedder whose service is at hand. */
export interface Served {
  readonly model: string
  readonly dimensions: number | undefined
  readonly shape: Embedder.Shape
  readonly service: string
  readonly method: Model.Definition
  readonly client: Model.AnyClient
}

export interface Options {
  readonly limits: Limits
  readonly timeout: Duration.Input
  readonly maxInputs: number
  readonly concurrency: number
  readonly countTokens: (text: string) => number
}

const Tokens = Schema.Array(Schema.Int)

/** A request as OpenAI's clients send it; what else they send is not looked at. */
const Request = Schema.Struct({
  input: Schema.Union([Schema.String, Schema.Array(Schema.String), Tokens, Schema.Array(Tokens)]),
  model: Schema.String,
  encoding_format: Schema.optionalKey(Schema.NullOr(Schema.Literals(["float", "base64"]))),
  dimensions: Schema.optionalKey(Schema.NullOr(Schema.Int))
})

const decodeRequest = SchemaParser.decodeUnknownEffect(Request)

const formatIssue = SchemaIssue.makeFormatterDefault()

/** `POST /v1/embeddings`. */
export const embeddings = (embedders: ReadonlyMap<string, Served>, options: Options) => {
  const answers = new Map(Array.from(embedders, ([model, served]) => [model, answerer(served, options)]))
  const handler = Effect.gen(function*() {
    const json = yield* Effect.fromResult(ForeignRoute.parseJson(yield* ForeignRoute.readBody, options.limits))
    const request = yield* Effect.mapError(decodeRequest(json), (issue) => ForeignRoute.invalid(formatIssue(issue)))
    const answer = answers.get(request.model)
    return yield* answer === undefined ? Effect.fail(noModel(request.model, embedders)) : answer(request)
  })
  return ForeignRoute.make(handler, { limits: options.limits, timeout: options.timeout, toResponse })
}

const answerer = (served: Served, { concurrency, countTokens, maxInputs }: Options) => {
  const { client, dimensions, method, model, shape } = served
  // A method that is an embedder does not stream.
  const call = client[method.name]! as (payload: unknown) => Effect.Effect<unknown, unknown>
  const vectorsOf = Embedder.vectorsOf(shape, call, concurrency)
  const describe = Answer.describe(method)
  return Effect.fnUntraced(function*(request: typeof Request.Type) {
    const texts = yield* textsOf(request.input, maxInputs)
    const asked = request.dimensions ?? dimensions
    if (asked !== dimensions) {
      return yield* Effect.fail(
        ForeignRoute.invalid(`${model} has ${dimensions ?? "no fixed number of"} dimensions, not ${asked}`)
      )
    }
    const vectors = yield* Effect.mapError(vectorsOf(texts), describe)
    const encode = request.encoding_format === "base64" ? toBase64 : Array.from<number>
    const tokens = texts.reduce((total, text) => total + countTokens(text), 0)
    return HttpServerResponse.jsonUnsafe({
      object: "list",
      data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: encode(vector) })),
      model,
      usage: { prompt_tokens: tokens, total_tokens: tokens }
    })
  })
}

const textsOf = (
  input: typeof Request.Type["input"],
  maxInputs: number
): Effect.Effect<ReadonlyArray<string>, Answer.Failure> => {
  const texts = typeof input === "string" ? [input] : input
  if (texts.length === 0) return Effect.fail(ForeignRoute.invalid("input is empty"))
  if (texts.length > maxInputs) {
    return Effect.fail(
      ForeignRoute.invalid(`input has ${texts.length} texts, and this server takes ${maxInputs} at a time`)
    )
  }
  return texts.every((text) => typeof text === "string")
    ? Effect.succeed(texts)
    : Effect.fail(ForeignRoute.invalid("this server takes texts and no tokens"))
}

/** The bytes of an embedding as OpenAI sends them: float32, little-endian. */
const toBase64 = ({ buffer, byteLength, byteOffset }: Float32Array): string =>
  Base64.encode(new Uint8Array(buffer, byteOffset, byteLength))

/** `GET /v1/models` and `GET /v1/models/<name>`: names may have slashes, which clients escape. */
export const models = (embedders: ReadonlyMap<string, Served>, path: string) => {
  const list = HttpServerResponse.jsonUnsafe({ object: "list", data: Array.from(embedders.values(), describeModel) })
  return Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
    const name = decode(url.slice(path.length + 1).replace(/[?#].*$/, ""))
    if (name === "") return list
    const served = embedders.get(name)
    return served === undefined
      ? toResponse(noModel(name, embedders))
      : HttpServerResponse.jsonUnsafe(describeModel(served))
  })
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const describeModel = ({ model, service }: Served) => ({ id: model, object: "model", created: 0, owned_by: service })

const noModel = (name: string, embedders: ReadonlyMap<string, Served>): Answer.Failure =>
  Answer.failure(
    404,
    "model_not_found",
    `there is no model ${JSON.stringify(name.slice(0, 100))}: this server has ${
      Array.from(embedders.keys()).join(", ")
    }`
  )

/** A failure as OpenAI tells it. */
const toResponse = ({ body, headers, status }: Answer.Failure): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({
    error: { message: body.error, type: typeOf(status), param: null, code: body._tag }
  }, { status, headers })

const typeOf = (status: number): string =>
  status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error"
