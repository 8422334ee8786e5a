/**
 * BentoML's HTTP surface, from both sides.
 *
 * A service is offered so that programs written for BentoML's clients can call
 * it: they read `/schema.json` and find each method as an API of its own. And a
 * service is satisfied by a BentoML server whose APIs are its methods.
 *
 * @since 0.2.0
 */
import { type ByteSize, type Duration, Effect, type Layer, type Redacted } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServerResponse } from "effect/http"
import type { Rpc } from "effect/rpc"
import * as Api from "./bento/api.ts"
import * as RemoteApi from "./bento/remote.ts"
import * as ApiRoute from "./bento/route.ts"
import * as ApiSchema from "./bento/schema.ts"
import * as Answer from "./http/answer.ts"
import * as Limits from "./http/limits.ts"
import * as Surface from "./http/surface.ts"
import * as ErasedLayer from "./internal/erasedLayer.ts"
import type * as Model from "./Model.ts"
import * as Readiness from "./Readiness.ts"
import * as ServiceError from "./ServiceError.ts"

/**
 * What a BentoML surface is called and takes. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface HttpOptions {
  /** What the service is called: the last part of its name. */
  readonly name?: string | undefined
  /** The largest body: 32 MiB. */
  readonly maxBodySize?: ByteSize.Input | undefined
  /** How many parts a form may have: 64. */
  readonly maxParts?: number | undefined
  /** What a call is given whose caller says nothing: a minute, as at BentoML. */
  readonly timeout?: Duration.Input | undefined
  /** Whether `/livez` and `/readyz` are there too: they are not, because `Serve.http` has them. */
  readonly health?: boolean | undefined
}

/**
 * Serves one service as BentoML serves its entry service: `/schema.json`, `/healthz` and `POST /<method>`.
 *
 * The fields of a payload are arguments by name, in JSON or in a form where one of them is bytes; a payload without
 * fields is the one argument there is. Tensors are nested lists, as NumPy arrays travel there. A text or bytes are
 * answered as they are, everything else as JSON, and the items of a stream one after another with nothing between them.
 * A failure is `{ "_tag", "error", ...fields }` with the status it has in `Serve.http`.
 *
 * **Gotchas**
 *
 * Pickles are refused. No address is fetched that a request names in place of a file. An `int64` beyond 2^53 is not
 * exact, NaN is `null`, and tensors and bytes inside of unions and classes are what they are in `Serve.http`. Methods with
 * a stream in their payload have no route. The client waits for `/readyz`, which is that of `Serve.http` unless `health` is true.
 *
 * **Example** (A service that BentoML's clients can call)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Bento, Model, Serve } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Rpc } from "effect/rpc"
 * import { createServer } from "node:http"
 *
 * class Summarizer extends Model.Service<Summarizer>()("text/Summarizer", [
 *   Rpc.make("summarize", { payload: { text: Schema.String }, success: Schema.String })
 * ]) {}
 *
 * export const Server = HttpRouter.serve(Layer.mergeAll(Serve.http([Summarizer]), Bento.http(Summarizer)), {
 *   disableLogger: true
 * }).pipe(
 *   Layer.provide(Summarizer.toLayer({ summarize: ({ text }) => Effect.succeed(text.slice(0, 100)) })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 3000 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const http = <const Service extends Model.Any>(
  service: Service,
  options: HttpOptions = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Model.Identifier<Service>> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const client: Model.AnyClient = yield* clientOf(service)
    const methods = Surface.methods(service)
    const limits = Limits.make(options)
    const name = options.name ?? service.key.split("/").at(-1) ?? service.key
    yield* router.add("GET", "/schema.json", HttpServerResponse.jsonUnsafe(ApiSchema.make(name, methods)))
    yield* router.add("GET", "/healthz", alive)
    if (options.health === true) {
      yield* router.add("GET", "/livez", alive)
      yield* router.add("GET", "/readyz", ready)
    }
    for (const method of methods) {
      const timeout = options.timeout ?? "1 minute"
      const route = ApiRoute.make({ service: service.key, method, client, limits, timeout })
      yield* router.add("POST", `/${method.name}`, route)
    }
  }))

/**
 * The BentoML server that satisfies a service.
 *
 * @category models
 * @since 0.2.0
 */
export interface LayerOptions<Method extends string = string> {
  /** The base of the server. */
  readonly url: string
  /** What the APIs are called where that is not the name of their method. */
  readonly apis?: { readonly [Name in Method]?: string } | undefined
  /** What is sent as `authorization: Bearer`. */
  readonly token?: Redacted.Redacted | undefined
}

/**
 * Satisfies a service with a BentoML server.
 *
 * The description of the server is read when the layer is built: a method without an API, with other arguments or ones
 * of another kind, or with an answer of another kind is `ContractMismatch`, and a server that does not answer is
 * `Unavailable`. Fields that are
 * files there travel in a form, everything else as JSON, tensors as nested lists. A declared error is one whose
 * `httpApiStatus` is the status of the answer and whose fields are in its body, or whose one field is a text and the
 * body has a sentence. Any other 400 or 422 is `InvalidPayload`, 429 is `Overloaded`, 500, 502 and 503 are
 * `Unavailable`, 504 is `DeadlineExceeded`.
 *
 * **Gotchas**
 *
 * Of the laws of a location (`Laws` of `chorale/testing`) it keeps those that the protocol has a form for, with a server
 * of this library all of these: results are equal (1), declared errors keep their class and fields (2), calls beside a
 * defect go on (3), interruption and traces reach the handler (4, 11), calls overlap (7), what is shared is built once
 * (8), a server that dies, is full or does not answer is told as such (9, 10, 14), payloads may be large (12), and what
 * does not fit does not reach the handler (13). It cannot keep the others: NaN, -0, the infinities, integers of tensors
 * beyond 2^53 and the sizes of a tensor without elements do not survive (1); an error of BentoML's own has a sentence and
 * no fields (2); a defect is `Unavailable` (3); a server hears nothing of deadlines (5); a stream is texts or bytes in
 * the pieces that the network makes of them (6); and all APIs must be there when the layer is built (13). BentoML itself
 * goes on with a call whose caller has gone (4).
 *
 * **Example** (A service that runs in BentoML)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Bento, Model } from "chorale"
 * import { Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Summarizer extends Model.Service<Summarizer>()("text/Summarizer", [
 *   Rpc.make("summarize", { payload: { text: Schema.String }, success: Schema.String })
 * ]) {}
 *
 * export const SummarizerRemote = Bento.layer(Summarizer, { url: "http://127.0.0.1:3000" }).pipe(
 *   Layer.provide(NodeHttpClient.layerUndici)
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: LayerOptions<Rpcs["_tag"]>
): Layer.Layer<Self, ServiceError.ServiceError, HttpClient.HttpClient> => {
  const { token, url } = options
  // The names of the methods are those of `Rpcs`.
  const names: Readonly<Record<string, string | undefined>> = options.apis ?? {}
  const build = Effect.gen(function*() {
    const http = yield* HttpClient.HttpClient
    const client = token === undefined ? http : HttpClient.mapRequest(http, HttpClientRequest.bearerToken(token))
    const apis = yield* Effect.mapError(Api.read(client, url), failWith(service.key, "schema"))
    const handlers: Record<string, ReturnType<typeof RemoteApi.make>> = {}
    for (const method of service.methods.values()) {
      const name = names[method.name] ?? method.name
      const api = apis.find((api) => api.name === name)
      const problem = api === undefined
        ? `there is none of this name; the server has ${apis.map(({ name }) => name).join(", ")}`
        : Api.difference(method, api) ??
          (method.stream && !RemoteApi.isStreamable(method) ? "a stream is of texts or of bytes" : undefined)
      if (api === undefined || problem !== undefined) {
        const reason = new ServiceError.ContractMismatch({ detail: `the API ${name} of ${url}: ${problem}` })
        return yield* failWith(service.key, method.name)(reason)
      }
      handlers[method.name] = RemoteApi.make({ method, api, url, client })
    }
    return handlers
  })
  return ErasedLayer.toLayer(service, build)
}

const failWith = (service: string, method: string) => (reason: ServiceError.Reason) =>
  new ServiceError.ServiceError({ service, method, reason })

const alive = HttpServerResponse.text("\n")

const ready = Effect.map(Readiness.missing, (missing) => {
  const names = Object.keys(missing)
  return names.length === 0
    ? alive
    : Answer.toResponse(Answer.failure(503, "NotReady", `not ready: ${names.join(", ")}`, { "retry-after": "1" }))
})

const clientOf = <Service extends Model.Any>(
  service: Service
): Effect.Effect<Model.AnyClient, never, Model.Identifier<Service>> => service
