/**
 * The Open Inference Protocol (v2) over HTTP, in both directions.
 *
 * Triton, KServe, MLServer and Seldon speak it. A service whose methods take
 * and give tensors is served to their clients, and a contract of such methods
 * is satisfied by a model that they serve.
 *
 * @since 0.2.0
 */
import { ByteSize, type Context, Duration, Effect, Layer, type Redacted } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import type { Rpc } from "effect/rpc"
import type * as Model from "./Model.ts"
import type { Bindings } from "./openInference/binding.ts"
import type { ModelDiffers } from "./openInference/differences.ts"
import * as Client from "./openInference/httpClient.ts"
import * as Models from "./openInference/model.ts"
import * as RemoteService from "./openInference/remoteService.ts"
import * as Routes from "./openInference/routes.ts"
import type * as ServiceError from "./ServiceError.ts"

export type { Binding, Bindings, TensorNames } from "./openInference/binding.ts"
export { ModelDiffers } from "./openInference/differences.ts"

/**
 * What a server says of itself, and what it takes. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface HttpOptions {
  /** What the server calls itself: chorale. */
  readonly name?: string | undefined
  /** The version of the server and of its models. Without it the models have no versions. */
  readonly version?: string | undefined
  /** The largest body: what `Serve.http` beside it takes, or 32 MiB. What is larger is refused with 413. */
  readonly maxBodySize?: ByteSize.Input | undefined
  /** How deeply JSON may nest: 64 levels. */
  readonly maxJsonDepth?: number | undefined
  /** What a call is given whose caller says nothing: a minute. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Serves methods as models of the Open Inference Protocol, under `/v2`.
 *
 * A method is a model where its payload is a tensor or a struct of tensors, and its result as well; others are passed
 * over. The model is named `<service>` where the service has one method and `<service>.<method>` otherwise, with dots
 * for the slashes of the service: `ocr/Recognizer` is `ocr.Recognizer`. Its inputs and outputs have the names of the
 * fields; a payload or result that is a tensor itself is `input` or `output`. A named dimension is -1.
 *
 * - `GET /v2`, `/v2/health/live`, `/v2/health/ready` (see `Readiness`), `/v2/models`
 * - `GET /v2/models/<model>[/versions/<version>]` and `.../ready`
 * - `POST /v2/models/<model>[/versions/<version>]/infer`, in JSON or with the binary tensor data extension
 *
 * **Details**
 *
 * Tensors in binary are views of the body where they are aligned, and go out from where they are. A body may be
 * compressed with gzip or deflate. Integers of 64 bits keep their digits in JSON too. FP16, NaN and the infinities travel in binary only; what was asked for in JSON and
 * cannot be told in it is 400. BYTES and BF16 are refused.
 *
 * A failure is `{ "error": "..." }`: 400 for what does not fit, 404 for a model that is not there, the `httpApiStatus` of
 * a declared error, 429 and 503 with `retry-after`, 504, and 500 for a defect, whose cause is logged and not told.
 * `chorale-deadline` gives a call so many milliseconds. A client that goes away interrupts its call.
 *
 * **Gotchas**
 *
 * Beside `Serve.http` its token and its limits hold for these routes too, so a probe of `/v2/health` needs the token;
 * `/livez` and `/readyz` do not. Optional fields are listed in the metadata like all others, and may be left out.
 *
 * **Example** (A model for the clients of Triton and KServe)
 *
 * ```ts
 * import { Model, OpenInference, Serve, Tensor } from "chorale"
 * import { HttpServer } from "chorale/node"
 * import { Effect, Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Rpc } from "effect/rpc"
 *
 * const Batch = Tensor.schema("float32", ["batch", 4])
 *
 * class Scaler extends Model.Service<Scaler>()("iris/Scaler", [
 *   Rpc.make("scale", { payload: { features: Batch }, success: Batch })
 * ]) {}
 *
 * export const Server = HttpRouter.serve(
 *   Layer.mergeAll(Serve.http([Scaler]), OpenInference.http([Scaler])),
 *   { disableLogger: true }
 * ).pipe(
 *   Layer.provide(Scaler.toLayer({ scale: ({ features }) => Effect.succeed(features) })),
 *   Layer.provide(HttpServer.layerServer({ port: 8000 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const http = <const Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  options: HttpOptions = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Model.Identifier<Services[number]>> => {
  const models = Models.find(services)
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "1 minute")
  return HttpRouter.use(Effect.fnUntraced(function*(router) {
    const context = yield* Effect.context<Model.Identifier<Services[number]>>()
    yield* router.add(
      "*",
      "/v2/*",
      // The services of the context are found by their keys.
      Routes.make(context as Context.Context<never>, models, {
        server: options,
        maxBodySize: options.maxBodySize === undefined ? undefined : ByteSize.fromInputUnsafe(options.maxBodySize),
        defaultMaxBodySize: ByteSize.mebibytes(32),
        maxJsonDepth: options.maxJsonDepth ?? 64,
        timeout: Duration.isFinite(timeout) ? timeout : undefined
      })
    )
  }))
}

/**
 * Where the models of a service are, and how they are called.
 *
 * @category models
 * @since 0.2.0
 */
export interface ClientOptions<Rpcs extends Rpc.Any> {
  /** The base of the server, without `/v2`. */
  readonly url: string
  /** The model of each method, and the names of its tensors. Without them they are those that `http` gives. */
  readonly models?: Bindings<Rpcs> | undefined
  /** Sent with each request as `authorization: Bearer`. */
  readonly token?: Redacted.Redacted | undefined
  /** Whether tensors travel in binary: they do. Without, a server needs no extension, but FP16 and NaN cannot travel. */
  readonly binary?: boolean | undefined
  /** Whether the metadata of the models is compared with the contract at the start: it is. */
  readonly verify?: boolean | undefined
}

/**
 * Satisfies a service with models that a server of the Open Inference Protocol has: Triton, KServe, MLServer, or `http`.
 *
 * Every method takes and gives tensors, or making the layer throws. When the layer is built, the metadata of each model
 * is compared with the contract; `ModelDiffers` names the first tensor whose datatype, rank or size is another one. A
 * server that does not answer then is a `ServiceError`, as it is later.
 *
 * **Details**
 *
 * Tensors that come back in binary are views of the answer. Interrupting a call closes its request. What is left of a
 * deadline is sent as `chorale-deadline`, which other servers do not know; the call ends by then in any case. 400, 413
 * and 422 are `InvalidPayload` with the sentence of the server, 429 is `Overloaded`, 504 `DeadlineExceeded`, other
 * statuses from 500 `Unavailable`, and everything else, like a result that does not fit, `ContractMismatch`.
 *
 * **Gotchas**
 *
 * Of the laws of a location (`Laws` of `chorale/testing`) it keeps those that the protocol has a form for, with a server
 * of this library all of these: tensors are equal to the last bit, of no elements too (1); calls beside a defect go on
 * (3); interruption, deadlines and traces reach the handler (4, 5, 11), which other servers may not look at; calls
 * overlap (7); what is shared is built once (8); a server that dies, is full or does not answer is told as such (9, 10,
 * 14), with the time to wait in whole seconds; payloads may be large (12); a tensor that does not fit does not reach the
 * handler (13). It cannot keep the others: an error that a model declares comes back as `InvalidPayload` or
 * `Unavailable`, by its status (2), and a defect as `Unavailable` (3); there are no streams (6); and contracts are
 * compared when the layer is built, by their tensors only, so that all models must be there (13).
 *
 * A model that takes inputs which the contract lacks, optional ones for example, needs `verify: false`.
 *
 * **Example** (A classifier that Triton serves)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Model, OpenInference, Tensor } from "chorale"
 * import { Layer } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Classifier extends Model.Service<Classifier>()("vision/Classifier", [
 *   Rpc.make("classify", {
 *     payload: { image: Tensor.schema("float32", ["batch", 3, 224, 224]) },
 *     success: Tensor.schema("float32", ["batch", 1000])
 *   })
 * ]) {}
 *
 * export const ClassifierRemote = OpenInference.layer(Classifier, {
 *   url: "http://127.0.0.1:8000",
 *   models: { classify: { model: "densenet_onnx", inputs: { image: "data_0" }, outputs: { output: "fc6_1" } } }
 * }).pipe(Layer.provide(NodeHttpClient.layerUndici))
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: ClientOptions<Rpcs>
): Layer.Layer<Self, ModelDiffers | ServiceError.ServiceError, HttpClient.HttpClient> => {
  const { binary = true, models, token, url, verify = true } = options
  const bound = RemoteService.bind(service, models)
  return Layer.effect(
    service,
    Effect.flatMap(HttpClient.HttpClient, (client) =>
      RemoteService.make<Rpcs>(service.key, bound, {
        metadata: verify ? (bound) => Client.metadata(client, { url, token, binary }, bound) : undefined,
        infer: (bound) => Client.infer(client, { url, token, binary }, bound)
      }))
  )
}
