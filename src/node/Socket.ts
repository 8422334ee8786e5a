/**
 * Services over sockets: unix sockets within a machine, TCP or TLS between machines.
 *
 * The calls are those of Effect's RPC; the frames are our own, so that a tensor goes from where it is in the memory of
 * one process to where it stays in the memory of the other with one copy besides those of the operating system.
 *
 * @since 0.1.0
 */
import { ByteSize, Context, Duration, Effect, Layer, Schema } from "effect"
import { type Rpc, RpcClient, RpcServer } from "effect/rpc"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type * as Model from "../Model.ts"
import * as Remote from "../Remote.ts"
import * as Serve from "../Serve.ts"
import * as ClientProtocol from "./socket/clientProtocol.ts"
import * as Connection from "./socket/connection.ts"
import * as Listen from "./socket/listen.ts"
import * as ServerProtocol from "./socket/serverProtocol.ts"

/**
 * Where a server listens: the path of a unix socket, or a port. `host` is 127.0.0.1 unless it is given; port 0 takes
 * one that is free.
 *
 * @category models
 * @since 0.1.0
 */
export type Address = { readonly path: string } | { readonly host?: string; readonly port: number }

/**
 * A server that listens, as the layer of `layerServer` gives it: `address` is the one it got.
 *
 * @category services
 * @since 0.1.0
 */
export class Server extends Context.Service<Server, { readonly address: Address }>()("chorale/Socket/Server") {}

/**
 * A server could not listen. `reason` is `AddressInUse` where another one does, or where a file that is no socket has
 * the path; `PermissionDenied` where this user may not; and `Other` with what the system said in `detail`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  address: Schema.String,
  reason: Schema.Literals(["AddressInUse", "PermissionDenied", "Other"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot listen on ${this.address}: ${this.detail}`
  }
}

/**
 * How a client connects.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions {
  /** How long a call waits for a connection where there is none: 2 seconds. */
  readonly connectTimeout?: Duration.Input
  /** The largest message, in either direction: 64 MiB, or less where the server takes less. */
  readonly maxFrameSize?: ByteSize.Input
  /**
   * After how long without a sign of life from the server a call that waits asks for one: 15 seconds. Where none comes
   * for as long again, the server counts as gone. A server that computes on its event loop for less is waited for.
   */
  readonly heartbeat?: Duration.Input
  /** Speak TLS, with these options. */
  readonly tls?: Tls.ConnectionOptions
}

/**
 * What a server takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions {
  /** The largest message, in either direction: 64 MiB. */
  readonly maxFrameSize?: ByteSize.Input
  /** The most connections at a time: 1024. A client beyond these is hung up on. */
  readonly maxConnections?: number
  /** The most calls of one connection that run at a time: 1024. A call beyond these is `Overloaded` at once. */
  readonly maxCalls?: number
  /** How long a connection may leave a message half sent: 10 seconds, and up to twice that. */
  readonly frameTimeout?: Duration.Input
  /** How long calls that run may go on when the layer is released: 5 seconds. */
  readonly drainTimeout?: Duration.Input
  /** Speak TLS, with these options. */
  readonly tls?: Tls.TlsOptions
}

/**
 * Satisfies a service with the server at an address, such as one that runs `layerServer`.
 *
 * It connects when it is first called, and again after a connection broke. A broken connection makes the calls on it
 * `Unavailable` and no others; so is a call for which no connection could be made within `connectTimeout`. A payload
 * over the limit of either side is `InvalidPayload` and is not sent; where the other side sends what is no message of
 * this protocol, the reason is `ContractMismatch`. A server that is about to stop is left when the calls on it are
 * answered, and further calls connect anew.
 *
 * **Gotchas**
 *
 * The bytes of an answer are views of a buffer that holds that answer and nothing else, so they may be kept and
 * changed. The bytes of a payload are read until its call ends: do not change them before.
 *
 * **Example** (A service on the same machine)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Socket } from "chorale/node"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderRemote = Socket.layerClient(Reader, { path: "/run/user/1000/reader.sock" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerClient = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  address: Address,
  options: ClientOptions = {}
): Layer.Layer<Self> =>
  Remote.layerProtocol(service).pipe(
    Layer.provide(Layer.effect(
      RpcClient.Protocol,
      ClientProtocol.make({
        dial: dialWith(address, options),
        address: format(address),
        connectTimeout: options.connectTimeout ?? "2 seconds",
        heartbeat: Duration.fromInputUnsafe(options.heartbeat ?? "15 seconds")
      })
    ))
  )

/**
 * Serves services on a unix socket or a port until the layer is released.
 *
 * The directory of a unix socket is created where it is missing, for this user alone; the socket itself admits only
 * this user. The file that a server left behind which is gone is replaced, and the own one removed at the end.
 *
 * A client that goes away interrupts its calls. Whatever is no message of this protocol, is over the limit or stays
 * half sent closes its connection and touches no other. An answer over the limit of either side is `ContractMismatch`
 * for its caller. When the layer is released, it takes no more connections, clients send further calls elsewhere, and
 * the calls that run may go on for `drainTimeout`; then they are interrupted, and `Unavailable` for their callers.
 *
 * **Gotchas**
 *
 * On a port, anyone who can reach it can call: choose `host` accordingly, or ask for certificates with
 * `tls: { requestCert: true, ca, ... }`.
 *
 * **Example** (A service on a unix socket)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Socket } from "chorale/node"
 * import { Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderServer = Socket.layerServer([Reader], { path: "/run/user/1000/reader.sock" }).pipe(
 *   Layer.provide(Reader.toLayer({ read: () => Effect.succeed("text") }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServer = <const Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  address: Address,
  options: ServerOptions = {}
): Layer.Layer<Server, ListenError, Model.Identifier<Services[number]>> =>
  Layer.effect(Server, serve(services, address, options))

const serve = Effect.fnUntraced(function*<const Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  address: Address,
  options: ServerOptions
) {
  const frameTimeout = options.frameTimeout ?? "10 seconds"
  const { accept, drain, protocol } = yield* ServerProtocol.make({
    maxFrameSize: bytes(options.maxFrameSize),
    maxCalls: options.maxCalls ?? 1024,
    frameTimeout
  })
  yield* Layer.build(
    Layer.provide(Serve.layerProtocol(services), Layer.succeed(RpcServer.Protocol, protocol))
  )
  const server = options.tls === undefined
    ? Net.createServer(socketOptions)
    : Tls.createServer({ handshakeTimeout: Duration.toMillis(Duration.fromInputUnsafe(frameTimeout)), ...options.tls })
  server.maxConnections = options.maxConnections ?? 1024
  server.on(options.tls === undefined ? "connection" : "secureConnection", accept)
  const bound = yield* Effect.mapError(
    Listen.listen(server, "path" in address ? address : { host: "127.0.0.1", ...address }),
    toListenError(address)
  )
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Effect.sync(() => server.close()), drain(options.drainTimeout ?? "5 seconds"))
  )
  return { address: typeof bound === "string" ? { path: bound } : { host: bound.address, port: bound.port } }
})

const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }

const bytes = (size: ByteSize.Input = ByteSize.mebibytes(64)): number =>
  Math.min(ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(size)), largestFrame)

// The length of a frame is a number of 32 bits.
const largestFrame = 2 ** 32 - 8

const dialWith = (address: Address, options: ClientOptions): ClientProtocol.Dial => {
  const maxFrameSize = bytes(options.maxFrameSize)
  const buffer = Buffer.allocUnsafeSlow(receiveBuffer)
  const target = "path" in address ? address : { host: "127.0.0.1", ...address }
  return (events) => {
    const socket: Net.Socket = options.tls === undefined
      ? Net.connect({
        ...socketOptions,
        ...target,
        onread: {
          buffer,
          callback: (length) => {
            connection.receive(buffer.subarray(0, length))
            return true
          }
        }
      })
      : Tls.connect({ ...options.tls, ...target })
    const connection = Connection.make(socket, { maxFrameSize, pausesReading: false, ...events })
    if (options.tls !== undefined) socket.on("data", connection.receive)
    return connection
  }
}

// One for all connections of a client: what a chunk holds is taken before the next one is read.
const receiveBuffer = 256 * 1024

const format = (address: Address): string =>
  "path" in address ? address.path : `${address.host ?? "127.0.0.1"}:${address.port}`

const toListenError = (address: Address) => ({ cause }: Listen.SystemError) =>
  new ListenError({
    address: format(address),
    reason: cause.code === "EADDRINUSE" || cause.code === "EEXIST"
      ? "AddressInUse"
      : cause.code === "EACCES" || cause.code === "EPERM"
      ? "PermissionDenied"
      : "Other",
    detail: cause.message
  })
