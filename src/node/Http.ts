/**
 * Services over HTTP, as Node programs call them.
 *
 * The calls are those of `Remote.layerHttp`, which works with any HTTP client; this one is undici alone, and cheaper.
 *
 * @since 0.2.0
 */
import type * as Undici from "@effect/platform-node/Undici"
import { ByteSize, Duration, Effect, Layer, Redacted } from "effect"
import { type Rpc, RpcClient } from "effect/rpc"
import type * as Tls from "node:tls"
import * as Wire from "../internal/wire.ts"
import type * as Model from "../Model.ts"
import * as Remote from "../Remote.ts"
import * as ClientProtocol from "./http/clientProtocol.ts"
import * as Connect from "./http/connect.ts"

/**
 * Where a server is, and how a client connects to it.
 *
 * @category models
 * @since 0.2.0
 */
export interface ClientOptions {
  /** The base of the server, without a path of a method. */
  readonly url: string
  /** How long a connection may take to be made: 2 seconds. */
  readonly connectTimeout?: Duration.Input
  /** The largest answer, or item of a stream: 64 MiB. */
  readonly maxResponseSize?: ByteSize.Input
  /** The most connections at a time. Without it there are as many as calls in flight; with it, calls wait for one. */
  readonly connections?: number
  /** Sent as the bearer token of every call. */
  readonly token?: Redacted.Redacted
  /** How to speak TLS, where the URL is one of `https`: certificates to trust, and those to show. */
  readonly tls?: Tls.ConnectionOptions
}

/**
 * Satisfies a service with the server at a URL, such as one that runs `Serve.http`.
 *
 * Connections are kept for the next calls. An address that does not answer within `connectTimeout` makes the calls that
 * wait for it `Unavailable`; how long a server may take to answer is for the deadline of the call to say. Interrupting
 * a call closes its connection, which interrupts the handler. Otherwise it is `Remote.layerHttp`.
 *
 * **Gotchas**
 *
 * A call whose connection breaks once its request is being sent is `Unavailable` and is not sent again, even where the
 * connection had been idle: nobody can tell whether the server has seen the request. What was not yet being sent when
 * a connection broke is sent on another one.
 *
 * The bytes of an answer are views of a buffer that holds that answer and nothing else, so they may be kept and changed.
 *
 * **Example** (A service behind a proxy that asks for a token)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Http } from "chorale/node"
 * import { Config, Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderRemote = Layer.unwrap(
 *   Effect.map(Config.Redacted("READER_TOKEN"), (token) =>
 *     Http.layerClient(Reader, { url: "https://reader.example.com", token })
 *   )
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerClient = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: ClientOptions
): Layer.Layer<Self> =>
  Remote.layerProtocol(service).pipe(
    Layer.provide(Layer.effect(
      RpcClient.Protocol,
      Effect.flatMap(pool(options), (dispatcher) =>
        ClientProtocol.make({
          dispatcher,
          url: new URL(`${options.url.replace(/\/+$/, "")}${Wire.rpcPath}`),
          maxFrameSize: bytes(options.maxResponseSize),
          headers: options.token === undefined ? [] : ["authorization", `Bearer ${Redacted.value(options.token)}`]
        }))
    ))
  )

const bytes = (size: ByteSize.Input = ByteSize.mebibytes(64)): number =>
  ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(size))

const pool = Effect.fnUntraced(function*(options: ClientOptions) {
  // A program that calls nothing over HTTP needs no client for it.
  const undici = yield* Effect.promise(() => import("@effect/platform-node/Undici"))
  return yield* Effect.acquireRelease(
    Effect.sync(() => new undici.Pool(new URL(options.url).origin, poolOptions(undici.buildConnector, options))),
    (pool) => Effect.promise(() => pool.destroy())
  )
})

const poolOptions = (
  build: typeof Undici.buildConnector,
  options: ClientOptions
): Undici.Pool.Options => ({
  connections: options.connections ?? null,
  connect: Connect.make(build, {
    timeout: Duration.toMillis(Duration.fromInputUnsafe(options.connectTimeout ?? "2 seconds")),
    tls: options.tls
  }),
  // A call has the deadline of its caller and no other.
  headersTimeout: 0,
  bodyTimeout: 0
})
