/**
 * Embeddings as OpenAI serves them.
 *
 * A service that turns texts into vectors can be offered to whoever speaks to
 * OpenAI's `/v1/embeddings`, can be satisfied by any server that speaks it, and
 * is an `EmbeddingModel` for programs that use `effect/ai`.
 *
 * @since 0.2.0
 */
import { type ByteSize, type Duration, Effect, Layer, type Redacted } from "effect"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import { type HttpClient, HttpRouter } from "effect/http"
import type { Rpc } from "effect/rpc"
import * as Limits from "./http/limits.ts"
import * as ErasedLayer from "./internal/erasedLayer.ts"
import type * as Model from "./Model.ts"
import * as Shape from "./openAi/embedder.ts"
import * as AiModel from "./openAi/embeddingModel.ts"
import * as RemoteEmbedder from "./openAi/remote.ts"
import * as Routes from "./openAi/routes.ts"

/**
 * A method of a service that is an embedder, under the name of its model.
 *
 * @category models
 * @since 0.2.0
 */
export interface Embedder<in out Self, in out Name extends string, in out Rpcs extends Rpc.Any> {
  readonly service: Model.ServiceClass<Self, Name, Rpcs>
  readonly method: string
  readonly model: string
  /** The size of a vector, where it is known. */
  readonly dimensions: number | undefined
}

/**
 * An embedder of any service.
 *
 * @category models
 * @since 0.2.0
 */
export interface Any {
  readonly service: Model.Any
  readonly method: string
  readonly model: string
  readonly dimensions: number | undefined
}

/**
 * The methods of a service that can be embedders: of a text to a vector, or of texts to a matrix of a row each.
 *
 * @category utility types
 * @since 0.2.0
 */
export type EmbedderMethod<Rpcs extends Rpc.Any> = Shape.MethodOf<Rpcs>

/**
 * Says that a method is an embedder, and what its model is called.
 *
 * Its payload has one field, a text or an array of texts, and its result is `float32[n]` or `float32[texts, n]`.
 * `dimensions` is the size of a vector where the contract leaves that open.
 *
 * **Example** (An embedder)
 *
 * ```ts
 * import { Model, OpenAi, Tensor } from "chorale"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * export class Sentences extends Model.Service<Sentences>()("search/Sentences", [
 *   Rpc.make("embed", { payload: { text: Schema.NonEmptyString }, success: Tensor.schema("float32", [384]) })
 * ]) {}
 *
 * export const embedder = OpenAi.embedder(Sentences, "embed", { model: "all-MiniLM-L6-v2" })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const embedder = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  method: EmbedderMethod<Rpcs>,
  options: { readonly model: string; readonly dimensions?: number | undefined }
): Embedder<Self, Name, Rpcs> => {
  const shape = Shape.shapeOf(service.key, definitionOf(service, method))
  return { service, method, model: options.model, dimensions: shape.dimensions ?? options.dimensions }
}

/**
 * What a server of embeddings takes. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface HttpOptions {
  /** Where the routes are: below `/v1`. */
  readonly prefix?: `/${string}` | undefined
  /** The largest body: 32 MiB. */
  readonly maxBodySize?: ByteSize.Input | undefined
  /** How many texts one request may have: 2048, as at OpenAI. */
  readonly maxInputs?: number | undefined
  /** How many texts of a request are embedded at a time where the method takes one: 32. */
  readonly concurrency?: number | undefined
  /** What a request is given whose caller says nothing: a minute. */
  readonly timeout?: Duration.Input | undefined
  /** What `usage` counts. Without it, that is 0. */
  readonly countTokens?: ((text: string) => number) | undefined
}

/**
 * Serves embedders as OpenAI does: `POST /v1/embeddings` and `GET /v1/models`.
 *
 * `input` is a text or an array of texts, `encoding_format` is `float` or `base64`. Texts of one request are embedded
 * concurrently, so `Batch` makes one run of them. Failures are `{ "error": { "message", "type", "param", "code" } }`
 * with the status they have in `Serve.http`; `code` is the tag of the error.
 *
 * **Gotchas**
 *
 * Tokens in place of texts, and other `dimensions` than the embedder has, are refused with 400. Token, limits and
 * metrics of a server come from `Serve.http`, whose routes are merged with these.
 *
 * **Example** (An embedder that OpenAI's clients can call)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Model, OpenAi, Serve, Tensor } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Rpc } from "effect/rpc"
 * import { createServer } from "node:http"
 *
 * class Sentences extends Model.Service<Sentences>()("search/Sentences", [
 *   Rpc.make("embed", { payload: { text: Schema.NonEmptyString }, success: Tensor.schema("float32", [384]) })
 * ]) {}
 *
 * const Routes = Layer.mergeAll(
 *   Serve.http([Sentences]),
 *   OpenAi.http([OpenAi.embedder(Sentences, "embed", { model: "all-MiniLM-L6-v2" })])
 * )
 *
 * export const Server = HttpRouter.serve(Routes, { disableLogger: true }).pipe(
 *   Layer.provide(Sentences.toLayer({ embed: () => Effect.succeed(Tensor.zeros("float32", [384])) })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 3000 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const http = <const Embedders extends readonly [Any, ...ReadonlyArray<Any>]>(
  embedders: Embedders,
  options: HttpOptions = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Model.Identifier<Embedders[number]["service"]>> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const served = new Map<string, Routes.Served>()
    for (const embedder of embedders) {
      if (served.has(embedder.model)) throw new TypeError(`two embedders have the same model name: ${embedder.model}`)
      served.set(embedder.model, yield* serve(embedder))
    }
    const { concurrency = 32, countTokens = () => 0, maxInputs = 2048, prefix = "/v1", timeout = "1 minute" } = options
    const limits = Limits.make(options)
    yield* router.add(
      "POST",
      `${prefix}/embeddings`,
      Routes.embeddings(served, { limits, timeout, maxInputs, concurrency, countTokens })
    )
    yield* router.add("GET", `${prefix}/models/*`, Routes.models(served, `${prefix}/models`))
  }))

/**
 * Satisfies an embedder with an OpenAI-compatible server.
 *
 * `url` is the base of its API, such as `https://api.openai.com/v1`. Embeddings are asked for in base64, and taken as
 * numbers too. A payload that does not fit the contract is refused before it is sent. A call is one request; put `Batch`
 * before it where a method takes one text. What the server refuses with 400, 413 or 422 is `InvalidPayload`, 429 is
 * `Overloaded`, 500, 502 and 503 are `Unavailable`, 504 is `DeadlineExceeded`; everything else, a missing key and
 * vectors of another size among it, is `ContractMismatch`.
 *
 * **Gotchas**
 *
 * Of the laws of a location (`Laws` of `chorale/testing`) it keeps those that the protocol has a form for, with a server
 * of this library all of these: vectors are equal (1), calls beside a defect go on (3), interruption and traces reach the
 * handler (4, 11), calls overlap (7), what is shared is built once (8), a server that dies, is full or is not there is
 * told as such (9, 10, 14), texts may be large (12), and one that does not fit is not sent (13). It cannot keep the
 * others: an error that a model declares comes back as `InvalidPayload` or `Unavailable`, by its status (2), and a defect
 * as `Unavailable` (3); a server hears nothing of deadlines, and the request is cut off (5); there are no streams (6);
 * contracts are not compared but by the size of each vector (13).
 *
 * A service with methods beside the embedder cannot be satisfied so: that throws a `TypeError`.
 *
 * **Example** (The same service from a server elsewhere)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Model, OpenAi, Tensor } from "chorale"
 * import { Config, Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Sentences extends Model.Service<Sentences>()("search/Sentences", [
 *   Rpc.make("embed", { payload: { text: Schema.NonEmptyString }, success: Tensor.schema("float32", [1536]) })
 * ]) {}
 *
 * const embedder = OpenAi.embedder(Sentences, "embed", { model: "text-embedding-3-small" })
 *
 * export const SentencesRemote = Layer.unwrap(Effect.gen(function*() {
 *   const apiKey = yield* Config.Redacted("OPENAI_API_KEY")
 *   return OpenAi.layerEmbeddings(embedder, { url: "https://api.openai.com/v1", apiKey })
 * })).pipe(Layer.provide(NodeHttpClient.layerUndici))
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerEmbeddings = <Self, Name extends string, Rpcs extends Rpc.Any>(
  embedder: Embedder<Self, Name, Rpcs>,
  options: {
    readonly url: string
    readonly apiKey?: Redacted.Redacted | undefined
    /** What the server calls the model: as the embedder does. */
    readonly model?: string | undefined
    /** What to ask of a model that can shorten its vectors; not sent otherwise. */
    readonly dimensions?: number | undefined
  }
): Layer.Layer<Self, never, HttpClient.HttpClient> => {
  const { method, service } = embedder
  const others = Array.from(service.methods.keys()).filter((name) => name !== method)
  if (others.length > 0) {
    throw new TypeError(`${service.key} has methods that no embeddings server answers: ${others.join(", ")}`)
  }
  const definition = definitionOf(service, method)
  const shape = Shape.shapeOf(service.key, definition)
  const { apiKey, dimensions, model = embedder.model, url } = options
  const handler = RemoteEmbedder.make(definition, shape, { apiKey, dimensions, model, url })
  return ErasedLayer.toLayer(service, Effect.map(handler, (handler) => ({ [method]: handler })))
}

/**
 * The `EmbeddingModel` of `effect/ai` that an embedder is.
 *
 * Concurrent calls of `embed` are one call of a method that takes many texts; `concurrency` is how many texts are
 * embedded at a time by one that takes one: 32. A `ServiceError` is the `AiError` that says the same, a declared error
 * an `InvalidRequestError` with its message.
 *
 * Throws a `TypeError` where neither the contract nor the embedder says how large a vector is.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerEmbeddingModel = <Self, Name extends string, Rpcs extends Rpc.Any>(
  embedder: Embedder<Self, Name, Rpcs>,
  options: { readonly concurrency?: number | undefined } = {}
): Layer.Layer<EmbeddingModel.EmbeddingModel | EmbeddingModel.Dimensions, never, Self> => {
  const { dimensions, model } = embedder
  if (dimensions === undefined) throw new TypeError(`say the dimensions of ${model}: its contract leaves them open`)
  const build = Effect.flatMap(
    serve<Embedder<Self, Name, Rpcs>>(embedder),
    ({ client, method, service, shape }) => AiModel.make(service, method, shape, client, options.concurrency ?? 32)
  )
  return Layer.mergeAll(
    Layer.effect(EmbeddingModel.EmbeddingModel, build),
    Layer.succeed(EmbeddingModel.Dimensions, dimensions)
  )
}

/** An embedder with the functions of its service in the context. */
const serve = <E extends Any>(
  { dimensions, method, model, service }: E
): Effect.Effect<Routes.Served, never, Model.Identifier<E["service"]>> => {
  const definition = definitionOf(service, method)
  const shape = Shape.shapeOf(service.key, definition)
  return Effect.map(
    service,
    (client) => ({ model, dimensions, shape, service: service.key, method: definition, client })
  )
}

const definitionOf = (service: Model.Any, method: string): Model.Definition => {
  const definition = service.methods.get(method)
  if (definition === undefined) throw new TypeError(`${service.key} has no method ${method}`)
  return definition
}
