/** The places where this library runs services, each as a location that the laws are tried on. */
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { Codec, type Model, Remote, Replicas, Serve } from "chorale"
import { Http, Socket, Worker } from "chorale/node"
import { Laws } from "chorale/testing"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"

/** Opens a location for as long as the scope is open. */
export type Location = Effect.Effect<Laws.Location, unknown, Scope.Scope>

/** The implementation in this process. */
export const local: Location = Effect.sync(() => Laws.local(Laws.layer()))

/** The implementation in this process, called through the codec: the caller and the relay each over one of their own. */
export const codec: Location = Effect.sync(() => {
  const probe = Codec.layer(Laws.Probe, Laws.layerProbe())
  const relay = Codec.layer(Laws.Relay, Layer.provide(Laws.layerRelay, probe))
  return { ...Laws.local(Layer.merge(probe, relay)), name: "codec", without: { skew: Laws.capabilities.skew } }
})

/** A server of one service that can be stopped and started again at its address. */
export interface Running<Address> {
  readonly address: Address
  readonly restart: Effect.Effect<void, unknown>
}

/** Two servers, the second of which serves `Relay` and calls the first over the same transport. */
export const twoServers = Effect.fnUntraced(function*<Address>(options: {
  readonly serveProbe: Effect.Effect<Running<Address>, unknown, Scope.Scope>
  readonly serveRelay: (
    probe: Layer.Layer<Laws.Probe, unknown>
  ) => Effect.Effect<Running<Address>, unknown, Scope.Scope>
  readonly connectTo: (address: Address) => Laws.Connect
}) {
  const probe = yield* options.serveProbe
  const toProbe = options.connectTo(probe.address)
  const relay = yield* options.serveRelay(toProbe(Laws.Probe))
  const toRelay = options.connectTo(relay.address)
  const connect: Laws.Connect = (service) => service.key === Laws.Relay.key ? toRelay(service) : toProbe(service)
  return { connect, kill: () => probe.restart }
})

/** Keeps a server running that can be stopped and started again at the address that it got. */
export const restartable = Effect.fnUntraced(function*<Address, A, E>(
  server: (at?: Address) => Layer.Layer<A, E>,
  addressOf: (context: Context.Context<A>) => Address
) {
  let scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Effect.suspend(() => Scope.close(scope, Exit.void)))
  const address = addressOf(yield* Layer.buildWithScope(server(), scope))
  const restart = Effect.gen(function*() {
    yield* Scope.close(scope, Exit.void)
    scope = yield* Scope.make()
    yield* Layer.buildWithScope(Layer.fresh(server(address)), scope)
  })
  return { address, restart }
})

const temporary = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-laws-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
)

/** A port of 127.0.0.1 at which nobody listens. */
export const freePort = Effect.map(Effect.scoped(listening(() => undefined)), (port) => port)

/** A server that does what it is told with a connection; gives its port. */
export function listening(onConnection: (socket: Net.Socket) => void): Effect.Effect<number, never, Scope.Scope> {
  return Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: Effect.Effect<void> }>((resume) => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => undefined)
        onConnection(socket)
      })
      const close = Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({ port: typeof address === "object" && address !== null ? address.port : 0, close }))
      })
    }),
    ({ close }) => close
  ).pipe(Effect.map(({ port }) => port))
}

/** A replica that is killed ends with the calls that it has. */
const killed = { drainTimeout: 0 }

const twoSocketServers = (probe: Socket.Address, relay: Socket.Address) => {
  const addressOf = (context: Context.Context<Socket.Server>) => Context.get(context, Socket.Server).address
  return twoServers({
    serveProbe: restartable(
      (at = probe) => Layer.provide(Socket.layerServer([Laws.Probe], at, killed), Laws.layerProbe()),
      addressOf
    ),
    serveRelay: (probe) =>
      restartable(
        (at = relay) =>
          Layer.provide(Socket.layerServer([Laws.Relay], at, killed), Layer.provide(Laws.layerRelay, probe)),
        addressOf
      ),
    connectTo: connectSocket
  })
}

const connectSocket = (address: Socket.Address, options?: Socket.ClientOptions): Laws.Connect => (service) =>
  Socket.layerClient(service, address, options)

/** An address where nobody listens stays so: no need to wait for long. */
const soon = { connectTimeout: "500 millis" } as const

const maxFrame = 64 * 1024 * 1024

/** A unix socket. */
export const unixSocket: Location = Effect.gen(function*() {
  const directory = yield* temporary
  const address = (name: string) => ({ path: Path.join(directory, `${name}.sock`) })
  const places = yield* twoSocketServers(address("probe"), address("relay"))
  return {
    ...places,
    name: "unix socket",
    maxPayload: maxFrame,
    refusing: connectSocket(address("nobody"), soon),
    without: { silent: "the kernel takes connections to a unix socket only while its server lives" }
  }
})

/** A TCP port. */
export const tcp: Location = Effect.gen(function*() {
  const places = yield* twoSocketServers({ port: 0 }, { port: 0 })
  return {
    ...places,
    name: "TCP",
    maxPayload: maxFrame,
    refusing: connectSocket({ port: yield* freePort }, soon),
    silent: connectSocket({ port: yield* listening(() => undefined) }, soon)
  }
})

export const runHttp = <E>(routes: Layer.Layer<never, E, HttpRouter.HttpRouter>) =>
  restartable(
    (port: number = 0) =>
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, {
          host: "127.0.0.1",
          port,
          gracefulShutdownTimeout: "100 millis"
        }))
      ),
    (context) => {
      const { address } = Context.get(context, HttpServer.HttpServer)
      return "port" in address ? address.port : 0
    }
  )

const connectHttp = (port: number): Laws.Connect => (service) =>
  Remote.layerHttp(service, { url: `http://127.0.0.1:${port}` }).pipe(Layer.provide(NodeHttpClient.layerUndici))

/** A URL. */
export const http: Location = Effect.gen(function*() {
  const places = yield* twoServers({
    serveProbe: runHttp(Layer.provide(Serve.http([Laws.Probe]), Laws.layerProbe())),
    serveRelay: (probe) => runHttp(Layer.provide(Serve.http([Laws.Relay]), Layer.provide(Laws.layerRelay, probe))),
    connectTo: connectHttp
  })
  return {
    ...places,
    name: "HTTP",
    maxPayload: 32 * 1024 * 1024,
    refusing: connectHttp(yield* freePort),
    without: { silent: "a server that has taken a request and says nothing may be computing: a deadline ends the call" }
  }
})

/** Three servers at three URLs, each with an implementation of its own. */
export const httpReplicas: Location = Effect.gen(function*() {
  const probes = yield* Effect.all(
    Array.from({ length: 3 }, () => runHttp(Layer.provide(Serve.http([Laws.Probe]), Laws.layerProbe())))
  )
  const connect: Laws.Connect = (service) =>
    Replicas.layer(service, {
      replicas: probes.length,
      replica: (index) => Http.layerClient(service, { url: `http://127.0.0.1:${probes[index]?.address}` })
    })
  const relay = yield* runHttp(
    Layer.provide(Serve.http([Laws.Relay]), Layer.provide(Laws.layerRelay, connect(Laws.Probe)))
  )
  return {
    name: "HTTP, 3 replicas",
    connect: (service) => service.key === Laws.Relay.key ? connectHttp(relay.address)(service) : connect(service),
    replicas: probes.length,
    kill: () => probes[0]?.restart ?? Effect.void,
    maxPayload: 32 * 1024 * 1024,
    refusing: connectHttp(yield* freePort),
    without: { silent: "a server that has taken a request and says nothing may be computing: a deadline ends the call" }
  }
})

const crash = ({ probe }: Laws.Place) => Effect.ignore(probe.crash())

const entry = (name: string) => ({ entry: new URL(`../fixtures/${name}.ts`, import.meta.url) })

/** A worker thread; the relay is in another, and calls the probe in a third. */
export const thread: Location = Effect.succeed({
  name: "thread",
  connect: (service) =>
    Worker.layerThread(service, entry(service.key === Laws.Relay.key ? "lawsRelay.thread" : "lawsWorker")),
  kill: crash
})

/** A process; the relay is in another, and calls the probe in a third. */
export const process: Location = Effect.succeed({
  name: "process",
  connect: (service) =>
    Worker.layerProcess(service, entry(service.key === Laws.Relay.key ? "lawsRelay.process" : "lawsWorker")),
  kill: crash
})

const ownReplicas = (
  name: string,
  start: <Self, Name extends string, Rpcs extends Rpc.Any>(
    service: Model.ServiceClass<Self, Name, Rpcs>,
    module: { readonly entry: URL }
  ) => Layer.Layer<Self, unknown>,
  relay: string
): Location =>
  Effect.succeed({
    name,
    connect: (service) =>
      service.key === Laws.Relay.key
        ? start(service, entry(relay))
        : Replicas.layer(service, { replicas: 3, replica: () => start(service, entry("lawsWorker")) }),
    replicas: 3,
    kill: crash
  })

/** Three worker threads, of which one that ends is started again. */
export const threads: Location = ownReplicas("3 threads", Worker.layerThread, "lawsRelay.thread")

/** Three processes, of which one that ends is started again. */
export const processes: Location = ownReplicas("3 processes", Worker.layerProcess, "lawsRelay.process")
