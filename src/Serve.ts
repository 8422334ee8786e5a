/**
 * Layers that offer services to others.
 *
 * Serving needs the service and does not care how it is satisfied: a process
 * that serves a remote service is a gateway.
 *
 * @since 0.1.0
 */
import { ByteSize, type Config, Duration, Effect, Layer, type Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RpcServer } from "effect/rpc"
import * as AccessLog from "./http/accessLog.ts"
import * as BodyBudget from "./http/bodyBudget.ts"
import * as Docs from "./http/docs.ts"
import * as Edge from "./http/edge.ts"
import * as Gate from "./http/gate.ts"
import * as Health from "./http/health.ts"
import * as Limits from "./http/limits.ts"
import * as MethodRoute from "./http/methodRoute.ts"
import * as Metrics from "./http/metrics.ts"
import * as Observer from "./http/observer.ts"
import * as OpenApi from "./http/openapi.ts"
import * as RequestMetrics from "./http/requestMetrics.ts"
import * as RpcRoute from "./http/rpcRoute.ts"
import * as Surface from "./http/surface.ts"
import * as Telemetry from "./http/telemetry.ts"
import * as TimeLimit from "./http/timeLimit.ts"
import * as Token from "./http/token.ts"
import * as ServedProtocol from "./internal/servedProtocol.ts"
import * as Wire from "./internal/wire.ts"
import type * as Model from "./Model.ts"

/**
 * What a server takes, what it asks for, and what it tells. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface HttpOptions {
  /** The largest body: 32 MiB. What is larger is refused with 413. */
  readonly maxBodySize?: ByteSize.Input | undefined
  /** The largest sum of all bodies over 1 MiB at a time: 1 GiB. What comes beyond is refused with 429. */
  readonly maxBodiesSize?: ByteSize.Input | undefined
  /** How deeply JSON may nest: 64 levels. */
  readonly maxJsonDepth?: number | undefined
  /** How many parts a multipart body may have: 64. */
  readonly maxParts?: number | undefined
  /** The largest part of a multipart body: as large as the body. */
  readonly maxPartSize?: ByteSize.Input | undefined
  /** How many calls run at a time: 1024. What comes beyond is refused with 429 at once. */
  readonly concurrency?: number | undefined
  /**
   * The deadline of a call whose caller gives none, which also those know whom it calls. Without it there is no
   * deadline, but a call that runs for more than a minute is interrupted; `Infinity` lets it run. A stream, and a call
   * to `/rpc`, has only the deadline that its caller gives.
   */
  readonly timeout?: Duration.Input | undefined
  /** The bearer token that every route but `/livez` and `/readyz` asks for. Without it anybody may call. */
  readonly token?: Redacted.Redacted | undefined
  /** The pages of other origins that may call. Without it a browser lets none. */
  readonly cors?: CorsOptions | undefined
  /** Whether `/metrics` is there: it is. */
  readonly metrics?: boolean | undefined
  /** Whether `/openapi.json` and `/docs` are there, and what they call the server: they are. */
  readonly docs?: boolean | DocsOptions | undefined
  /** A line on the standard output for each request: none. With `true` it is JSON unless that is a terminal. */
  readonly accessLog?: AccessLog.Option | undefined
}

/**
 * Which pages may call a server from a browser.
 *
 * @category models
 * @since 0.2.0
 */
export interface CorsOptions {
  /** Such as `https://app.example.com`; `*` is every page there is. */
  readonly allowedOrigins: readonly [string, ...ReadonlyArray<string>]
  readonly allowedHeaders?: ReadonlyArray<string> | undefined
  /** Headers that a page may read beside the common ones: `retry-after`. */
  readonly exposedHeaders?: ReadonlyArray<string> | undefined
  /** For how long a browser remembers the answer. */
  readonly maxAge?: Duration.Input | undefined
}

/**
 * What the description of a server says of it.
 *
 * @category models
 * @since 0.2.0
 */
export interface DocsOptions {
  readonly title?: string | undefined
  readonly version?: string | undefined
  readonly description?: string | undefined
}

/**
 * Serves services over HTTP, everything derived from their contracts.
 *
 * - `POST /<service>/<method>` calls a method. It takes JSON; `multipart/form-data`, where a file is a field of bytes or
 *   of a tensor; and the bytes themselves (`application/octet-stream`, `image/*`, ...) where the payload is bytes or a
 *   tensor or one such field; a body may be compressed with gzip or deflate. It answers JSON, or bytes where the result
 *   is bytes. A stream is one JSON value a line, or server-sent events where `accept` names `text/event-stream`. A method
 *   with a stream in its payload has no such route.
 * - `POST /rpc` is what `Remote.layerHttp` calls; tensors and bytes travel as they are.
 * - `GET /livez` answers while the process runs; `GET /readyz` says what is missing (see `Readiness`), and that the
 *   server is stopping.
 * - `GET /openapi.json` describes every method with all its errors, `GET /docs` is a page of it, `GET /metrics` has the
 *   metrics of the process for Prometheus.
 *
 * A failure is `{ "_tag", "error", ...fields }` with the `httpApiStatus` of a declared error; a `ServiceError` is under
 * the tag of its reason with 400, 429, 502, 503 or 504, and 429 and 503 say `retry-after`. A defect is 500; its cause is
 * logged and not told. A client that goes away interrupts its call. `chorale-deadline` gives a call so many
 * milliseconds, `traceparent` makes it a part of the caller's trace.
 *
 * **Details**
 *
 * The token, the limits, the metrics and the access log hold for the whole router, so also for routes that are merged
 * with these: `HttpRouter.serve(Layer.mergeAll(Serve.http([Reader]), other))`. JSON that names `__proto__` or
 * `constructor.prototype` is refused. No route fetches an address that a request names.
 *
 * **Gotchas**
 *
 * A router takes one `Serve.http`. The header of an `HttpRouter.serve` without `disableLogger` costs more than all the
 * rest; `accessLog` is its cheaper counterpart.
 *
 * **Example** (A service on a free port)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Model, Serve } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Rpc } from "effect/rpc"
 * import { createServer } from "node:http"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const Server = HttpRouter.serve(Serve.http([Reader]), { disableLogger: true }).pipe(
 *   Layer.provide(Reader.toLayer({ read: () => Effect.succeed("text") })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const http = <const Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  options: HttpOptions = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | ServicesOf<Services>> => {
  const limits = Limits.make(options)
  const gate = new Gate.Gate(options.concurrency ?? 1024)
  const surface = Surface.make(services, options)
  const { docs } = surface
  return Layer.mergeAll(
    options.cors === undefined ? Layer.empty : cors(options.cors),
    edge(surface, limits, gate, options),
    methodRoutes(services, limits, gate, options),
    rpcRoute(services),
    Health.routes,
    docs === undefined
      ? Layer.empty
      : Docs.routes(() => OpenApi.make(services, { ...docs, secured: options.token !== undefined }, limits)),
    surface.metrics ? Metrics.routes : Layer.empty
  )
}

/**
 * Sends traces, metrics and logs to a collector of OpenTelemetry, as the `OTEL_*` variables of the environment say.
 *
 * With `OTEL_EXPORTER_OTLP_ENDPOINT` set and nothing else, it sends traces; `OTEL_METRICS_EXPORTER=otlp` and
 * `OTEL_LOGS_EXPORTER=otlp` add the others, and `OTEL_TRACES_EXPORTER=none` takes traces away. Without a name in
 * `OTEL_SERVICE_NAME` it is called as the specification says, `unknown_service:node`. Without an endpoint it does nothing. Provide it to the whole program: what is left is sent when the layer is closed.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerTelemetry: Layer.Layer<never, Config.ConfigError> = Telemetry.layer

/**
 * Serves services over the `RpcServer.Protocol` of the context, for transports of your own.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerProtocol = <const Services extends ReadonlyArray<Model.Any>>(
  services: Services
): Layer.Layer<never, never, RpcServer.Protocol | ServicesOf<Services>> => Layer.effectDiscard(serveProtocol(services))

type ServicesOf<Services extends ReadonlyArray<Model.Any>> = Model.Identifier<Services[number]>

const cors = ({ allowedHeaders, allowedOrigins, exposedHeaders, maxAge }: CorsOptions) =>
  HttpRouter.cors({
    allowedOrigins,
    allowedMethods: ["GET", "POST"],
    allowedHeaders: allowedHeaders ?? ["authorization", "content-type", "chorale-deadline", "traceparent"],
    exposedHeaders: exposedHeaders ?? ["retry-after"],
    ...maxAge === undefined ? {} : { maxAge: Math.floor(Duration.toSeconds(Duration.fromInputUnsafe(maxAge))) }
  })

/** What goes around the whole router. */
const edge = (surface: Surface.Surface, limits: Limits.Limits, gate: Gate.Gate, options: HttpOptions) =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const { token } = options
    const routes = new Map(Array.from(surface.paths.keys(), (path) => [path, RequestMetrics.route(path)]))
    const other = RequestMetrics.route("other")
    yield* Effect.forEach([...routes.values(), other], RequestMetrics.register, { discard: true })
    yield* router.addGlobalMiddleware(Edge.make({
      known: surface.known,
      limits,
      gate,
      observer: Observer.make({
        routes,
        other,
        metrics: surface.metrics,
        log: AccessLog.make(options.accessLog ?? false)
      }),
      isAuthorized: token === undefined ? undefined : Token.verifier(token),
      notFound: surface.notFound
    }))
  }))

const methodRoutes = <Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  limits: Limits.Limits,
  gate: Gate.Gate,
  options: HttpOptions
): Layer.Layer<never, never, HttpRouter.HttpRouter | ServicesOf<Services>> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const timeout = options.timeout === undefined ? undefined : Duration.fromInputUnsafe(options.timeout)
    const timeLimit = timeout === undefined ? yield* TimeLimit.make(Duration.minutes(1)) : undefined
    const budget = new BodyBudget.BodyBudget(
      options.maxBodiesSize === undefined ? ByteSize.gibibytes(1) : ByteSize.fromInputUnsafe(options.maxBodiesSize)
    )
    for (const service of services) {
      const client = yield* clientOf(service)
      for (const method of Surface.methods(service)) {
        yield* router.add(
          "POST",
          Surface.methodPath(service, method),
          MethodRoute.make({
            service: service.key,
            method,
            client,
            limits,
            gate,
            budget,
            timeout: timeout !== undefined && Duration.isFinite(timeout) ? timeout : undefined,
            timeLimit
          })
        )
      }
    }
  }))

const rpcRoute = <Services extends ReadonlyArray<Model.Any>>(
  services: Services
): Layer.Layer<never, never, HttpRouter.HttpRouter | ServicesOf<Services>> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const { protocol, route } = yield* RpcRoute.make
    yield* Effect.provideService(serveProtocol(services), RpcServer.Protocol, protocol)
    yield* router.add("POST", Wire.rpcPath, route)
  }))

/** Answers calls over the protocol of the context until the scope closes. */
const serveProtocol = Effect.fnUntraced(function*<Services extends ReadonlyArray<Model.Any>>(services: Services) {
  const served: Array<ServedProtocol.Served> = []
  for (const service of services) served.push({ service, client: yield* clientOf(service) })
  yield* ServedProtocol.serve(served)
})

const clientOf = <Service extends Model.Any>(
  service: Service
): Effect.Effect<Model.AnyClient, never, Model.Identifier<Service>> => service
