/**
 * The Open Inference Protocol (v2) over gRPC, in both directions.
 *
 * The same models as those of `OpenInference`, for the clients and servers that
 * speak gRPC.
 *
 * @since 0.2.0
 */
import * as Grpc from "@grpc/grpc-js"
import { ByteSize, Context, Duration, Effect, Layer, type Redacted } from "effect"
import type { Rpc } from "effect/rpc"
import * as Token from "../http/token.ts"
import type * as Model from "../Model.ts"
import type { ListenError } from "../node/Socket.ts"
import type { Bindings } from "../openInference/binding.ts"
import type { ModelDiffers } from "../openInference/differences.ts"
import * as Models from "../openInference/model.ts"
import * as RemoteService from "../openInference/remoteService.ts"
import type * as ServiceError from "../ServiceError.ts"
import * as Calls from "./calls.ts"
import * as Client from "./client.ts"
import * as Listen from "./server.ts"

/**
 * A server that listens, as the layer of `layerServer` gives it: `port` is the one it got.
 *
 * @category services
 * @since 0.2.0
 */
export class Server extends Context.Service<Server, { readonly host: string; readonly port: number }>()(
  "chorale/OpenInferenceGrpc/Server"
) {}

/**
 * Where a server listens, and what it takes. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface ServerOptions {
  /** The address: 127.0.0.1, which nobody else reaches. In a container it is `0.0.0.0`. */
  readonly host?: string | undefined
  /** The port: 8001. With 0 it is one that is free. */
  readonly port?: number | undefined
  /** Certificate and key in PEM; with `ca`, clients need a certificate of it. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly ca?: Buffer | undefined } | undefined
  /** What the server calls itself: chorale. */
  readonly name?: string | undefined
  /** The version of the server and of its models. Without it the models have no versions. */
  readonly version?: string | undefined
  /** The largest message: 32 MiB. What is larger is refused with RESOURCE_EXHAUSTED. */
  readonly maxMessageSize?: ByteSize.Input | undefined
  /** How many calls run at a time: 1024. What comes beyond is refused with RESOURCE_EXHAUSTED at once. */
  readonly concurrency?: number | undefined
  /** What a call is given whose caller says nothing: a minute. */
  readonly timeout?: Duration.Input | undefined
  /** How long calls that run have to end when the server stops: 20 seconds. Those left are answered UNAVAILABLE. */
  readonly gracefulShutdownTimeout?: Duration.Input | undefined
  /** The bearer token that every method asks for, save the health check. Without it anybody may call. */
  readonly token?: Redacted.Redacted | undefined
}

/**
 * Serves methods as models over gRPC: those that `OpenInference.http` serves, under the same names.
 *
 * The server has `inference.GRPCInferenceService` and the `Check` of `grpc.health.v1.Health`. Elements arrive raw or in
 * the field of their type, and go back the way they came; FP16 has the raw form only.
 *
 * **Details**
 *
 * A deadline of the caller (`grpc-timeout`) holds for all that its call does; a call that is cancelled is interrupted.
 * What does not fit is INVALID_ARGUMENT, a model that is not there NOT_FOUND. `Overloaded` is RESOURCE_EXHAUSTED with
 * `retry-after` in seconds in the metadata, and the other reasons are UNAVAILABLE, DEADLINE_EXCEEDED and
 * FAILED_PRECONDITION. A declared error has the code that is nearest to its `httpApiStatus`, a defect is INTERNAL, and
 * its cause is logged and not told.
 *
 * **Example** (Models over gRPC)
 *
 * ```ts
 * import { Model, Tensor } from "chorale"
 * import { OpenInferenceGrpc } from "chorale/grpc"
 * import { Effect, Layer } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * const Batch = Tensor.schema("float32", ["batch", 4])
 *
 * class Scaler extends Model.Service<Scaler>()("iris/Scaler", [
 *   Rpc.make("scale", { payload: { features: Batch }, success: Batch })
 * ]) {}
 *
 * export const Server = OpenInferenceGrpc.layerServer([Scaler], { host: "0.0.0.0", port: 8001 }).pipe(
 *   Layer.provide(Scaler.toLayer({ scale: ({ features }) => Effect.succeed(features) }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerServer = <const Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  options: ServerOptions = {}
): Layer.Layer<Server, ListenError, Model.Identifier<Services[number]>> => {
  const models = Models.find(services)
  const settings = settingsOf(options)
  return Layer.effect(
    Server,
    Effect.flatMap(
      Effect.context<Model.Identifier<Services[number]>>(),
      // The services of the context are found by their keys.
      (context) => listen(context as Context.Context<never>, models, options, settings)
    )
  )
}

const listen = Effect.fnUntraced(function*(
  context: Context.Context<never>,
  models: ReadonlyMap<string, Models.Served>,
  options: ServerOptions,
  settings: Listen.Options
) {
  const stopping: Calls.Stopping = { now: false }
  const methods = Calls.make(context, models, options, stopping)
  return { host: settings.host, port: yield* Listen.listen(methods, stopping, settings) }
})

const settingsOf = ({ tls, token, ...options }: ServerOptions): Listen.Options => {
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "1 minute")
  return {
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 8001,
    credentials: serverCredentials(tls),
    maxMessageSize: bytesOf(options.maxMessageSize) ?? 32 * 1024 ** 2,
    concurrency: options.concurrency ?? 1024,
    timeout: Duration.isFinite(timeout) ? timeout : undefined,
    gracefulShutdownTimeout: Duration.fromInputUnsafe(options.gracefulShutdownTimeout ?? "20 seconds"),
    isAuthorized: token === undefined ? undefined : Token.verifier(token)
  }
}

const bytesOf = (size: ByteSize.Input | undefined): number | undefined =>
  size === undefined ? undefined : ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(size))

const serverCredentials = (tls: ServerOptions["tls"]): Grpc.ServerCredentials =>
  tls === undefined
    ? Grpc.ServerCredentials.createInsecure()
    : Grpc.ServerCredentials.createSsl(
      tls.ca ?? null,
      [{ cert_chain: tls.cert, private_key: tls.key }],
      tls.ca !== undefined
    )

/**
 * Where the models of a service are, and how they are called.
 *
 * @category models
 * @since 0.2.0
 */
export interface ClientOptions<Rpcs extends Rpc.Any> {
  /** Such as `127.0.0.1:8001`, or another name that gRPC resolves, such as `dns:///models:8001`. */
  readonly address: string
  /** The model of each method, and the names of its tensors. Without them they are those that `layerServer` gives. */
  readonly models?: Bindings<Rpcs> | undefined
  /** Speak TLS: with the authorities of the system or with `ca`, and with a certificate of our own where one is given. */
  readonly tls?:
    | boolean
    | { readonly ca?: Buffer | undefined; readonly cert?: Buffer | undefined; readonly key?: Buffer | undefined }
    | undefined
  /** Sent with each call as `authorization: Bearer`. */
  readonly token?: Redacted.Redacted | undefined
  /** The largest message, in either direction: 64 MiB. */
  readonly maxMessageSize?: ByteSize.Input | undefined
  /** Whether the metadata of the models is compared with the contract at the start: it is. */
  readonly verify?: boolean | undefined
}

/**
 * Satisfies a service with models that a server of the Open Inference Protocol has, over gRPC.
 *
 * It differs from `OpenInference.layer` in the way only. What is left of a deadline travels as `grpc-timeout`, which
 * every server knows. INVALID_ARGUMENT and a message over a limit are `InvalidPayload`, RESOURCE_EXHAUSTED is
 * `Overloaded`, DEADLINE_EXCEEDED is itself, NOT_FOUND and what else no retry helps against is `ContractMismatch`, and
 * all others are `Unavailable`.
 *
 * **Gotchas**
 *
 * It keeps the same laws of a location as `OpenInference.layer`, and cannot keep the same: an error that a model declares
 * and a defect come back as one of these, there are no streams, and contracts are compared by their tensors only.
 *
 * **Example** (A classifier that Triton serves)
 *
 * ```ts
 * import { Model, Tensor } from "chorale"
 * import { OpenInferenceGrpc } from "chorale/grpc"
 * import { Rpc } from "effect/rpc"
 *
 * class Classifier extends Model.Service<Classifier>()("vision/Classifier", [
 *   Rpc.make("classify", {
 *     payload: { image: Tensor.schema("float32", ["batch", 3, 224, 224]) },
 *     success: Tensor.schema("float32", ["batch", 1000])
 *   })
 * ]) {}
 *
 * export const ClassifierRemote = OpenInferenceGrpc.layerClient(Classifier, {
 *   address: "127.0.0.1:8001",
 *   models: { classify: { model: "densenet_onnx", inputs: { image: "data_0" }, outputs: { output: "fc6_1" } } }
 * })
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerClient = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: ClientOptions<Rpcs>
): Layer.Layer<Self, ModelDiffers | ServiceError.ServiceError> => {
  const bound = RemoteService.bind(service, options.models)
  const { token, verify = true } = options
  return Layer.effect(
    service,
    Effect.gen(function*() {
      const channel = { client: yield* connect(options), token }
      return yield* RemoteService.make<Rpcs>(service.key, bound, {
        metadata: verify ? (bound) => Client.metadata(channel, bound) : undefined,
        infer: (bound) => Client.infer(channel, bound)
      })
    })
  )
}

const connect = <Rpcs extends Rpc.Any>({ address, maxMessageSize, tls }: ClientOptions<Rpcs>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const limit = bytesOf(maxMessageSize) ?? 64 * 1024 ** 2
      return new Grpc.Client(address, clientCredentials(tls), {
        "grpc.max_receive_message_length": limit,
        "grpc.max_send_message_length": limit
      })
    }),
    (client) => Effect.sync(() => client.close())
  )

const clientCredentials = (tls: ClientOptions<Rpc.Any>["tls"]): Grpc.ChannelCredentials => {
  if (tls === undefined || tls === false) return Grpc.credentials.createInsecure()
  const { ca = null, cert = null, key = null } = tls === true ? {} : tls
  return Grpc.credentials.createSsl(ca, key, cert)
}
