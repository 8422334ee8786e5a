/**
 * An HTTP server with limits that hold against slow and hostile clients.
 *
 * @since 0.2.0
 */
import type * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ByteSize, Context, Duration, Effect, Layer } from "effect"
import { HttpMiddleware, HttpServer, type HttpServerError } from "effect/http"
import * as Http from "node:http"
import * as Https from "node:https"
import type * as Tls from "node:tls"
import { Draining, paths } from "../http/health.ts"
import * as Metrics from "../http/metrics.ts"

/**
 * Where a server listens, and what it puts up with. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface ServerOptions {
  /** The port: 3000. With 0 it is one that is free. */
  readonly port?: number | undefined
  /** The address: 127.0.0.1, which nobody else reaches. In a container it is `0.0.0.0`. */
  readonly host?: string | undefined
  /** The path of a unix socket, in place of host and port. */
  readonly path?: string | undefined
  /** How long the head of a request may take to arrive: 10 seconds. */
  readonly headersTimeout?: Duration.Input | undefined
  /** How long a whole request may take to arrive: 2 minutes. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How long a connection may stay open between requests: 65 seconds, longer than proxies keep theirs. */
  readonly keepAliveTimeout?: Duration.Input | undefined
  /** How long nothing may pass on a connection while a request is on it: 5 minutes. It ends those who never read. */
  readonly idleTimeout?: Duration.Input | undefined
  /** The largest head of a request: 16 KiB. */
  readonly maxHeaderSize?: ByteSize.Input | undefined
  /** How many headers are read of a request: 100. */
  readonly maxHeadersCount?: number | undefined
  /** How many connections there may be at a time: 4096. More are closed at once. */
  readonly maxConnections?: number | undefined
  /** How long a server that is told to stop still takes requests, while `/readyz` says that it stops: not at all. */
  readonly drainDelay?: Duration.Input | undefined
  /** How long the requests that run then have to end: 20 seconds. Those left are answered with 503. */
  readonly gracefulShutdownTimeout?: Duration.Input | undefined
  /** Certificate and key, and for mutual TLS `ca` with `requestCert` and `rejectUnauthorized`. */
  readonly tls?: Tls.TlsOptions | undefined
}

/**
 * Listens for requests, for `HttpRouter.serve`.
 *
 * A server that is told to stop says so on `/readyz` of `Serve.http`, takes requests for `drainDelay` longer, stops to
 * listen, waits for the requests that run, and interrupts what is left: every request that it has taken is answered.
 * Requests for health and metrics have no spans.
 *
 * **Gotchas**
 *
 * Where something else decides which servers get requests, as in Kubernetes, `drainDelay` is the time that it takes to
 * notice. It and `gracefulShutdownTimeout` together are less than the time after which the process is killed.
 *
 * **Example** (A server that knows its clients by their certificates)
 *
 * ```ts
 * import { Model, Serve } from "chorale"
 * import { HttpServer } from "chorale/node"
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Rpc } from "effect/rpc"
 * import { readFileSync } from "node:fs"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const Server = HttpRouter.serve(Serve.http([Reader]), { disableLogger: true }).pipe(
 *   Layer.provide(Reader.toLayer({ read: () => Effect.succeed("text") })),
 *   Layer.provide(Layer.unwrap(Effect.sync(() =>
 *     HttpServer.layerServer({
 *       port: 8443,
 *       tls: {
 *         cert: readFileSync("server.crt"),
 *         key: readFileSync("server.key"),
 *         ca: readFileSync("clients.crt"),
 *         requestCert: true,
 *         rejectUnauthorized: true
 *       }
 *     })
 *   )))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerServer = (
  options: ServerOptions = {}
): Layer.Layer<Provided, HttpServerError.ServeError> =>
  Layer.unwrap(
    // A program that serves nothing over HTTP needs no server for it.
    Effect.map(Effect.promise(() => import("@effect/platform-node/NodeHttpServer")), ({ layer }) => {
      const server = create(options)
      return Layer.provideMerge(draining(server, options), layer(() => server, listenOptions(options)))
    })
  )

type Provided = Layer.Success<ReturnType<typeof NodeHttpServer.layer>>

const millis = (given: Duration.Input | undefined, otherwise: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(given ?? otherwise))

const bytes = (size: ByteSize.Input): number => ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(size))

const listenOptions = (options: ServerOptions) => ({
  ...options.path === undefined
    ? { host: options.host ?? "127.0.0.1", port: options.port ?? 3000 }
    : { path: options.path },
  gracefulShutdownTimeout: options.gracefulShutdownTimeout ?? "20 seconds"
})

const create = (options: ServerOptions): Http.Server => {
  const headersTimeout = millis(options.headersTimeout, "10 seconds")
  const limits: Http.ServerOptions = {
    headersTimeout,
    requestTimeout: Math.max(headersTimeout, millis(options.requestTimeout, "2 minutes")),
    keepAliveTimeout: millis(options.keepAliveTimeout, "65 seconds"),
    connectionsCheckingInterval: Math.min(5000, Math.max(50, headersTimeout / 2)),
    maxHeaderSize: options.maxHeaderSize === undefined ? 16 * 1024 : bytes(options.maxHeaderSize)
  }
  const server = options.tls === undefined
    ? Http.createServer(limits)
    : Https.createServer({ ...limits, ...options.tls })
  server.maxHeadersCount = options.maxHeadersCount ?? 100
  server.maxConnections = options.maxConnections ?? 4096
  server.timeout = millis(options.idleTimeout, "5 minutes")
  return server
}

const unwatched: ReadonlySet<string> = new Set([...paths, Metrics.path])

type Serve = Parameters<typeof HttpServer.make>[0]["serve"]

/** The same server, which says that it is about to stop before it does. */
const draining = (
  nodeServer: Http.Server,
  { drainDelay = 0 }: ServerOptions
): Layer.Layer<HttpServer.HttpServer, never, HttpServer.HttpServer> =>
  Layer.effectContext(Effect.map(Effect.service(HttpServer.HttpServer), (server) => {
    const state: Draining = { now: false }
    const drain = Effect.suspend(() => {
      state.now = true
      return Effect.andThen(Effect.sleep(drainDelay), Effect.sync(() => closeWhenIdle(nodeServer)))
    })
    // It is made from a function of this type, of which it shows the overloads.
    const begin = server.serve as Serve
    // What is added last is done first.
    const serve: Serve = (app, middleware) => Effect.andThen(begin(app, middleware), Effect.addFinalizer(() => drain))
    return Context.make(HttpServer.HttpServer, HttpServer.make({ serve, address: server.address })).pipe(
      Context.add(Draining, state),
      // Whoever watches a server asks for these over and over.
      Context.add(HttpMiddleware.TracerDisabledWhen, ({ url }) => unwatched.has(url))
    )
  }))

/** A server that closes would wait for each connection whose client keeps it for another request. */
const closeWhenIdle = (server: Http.Server): void => {
  const timer = setInterval(() => server.closeIdleConnections(), 20)
  timer.unref()
  server.once("close", () => clearInterval(timer))
}
