/**
 * Layers that offer services to others.
 *
 * Serving needs the service and does not care how it is satisfied: a process
 * that serves a remote service is a gateway.
 *
 * @since 0.1.0
 */
import { ByteSize, Cause, Effect, Layer } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerError, HttpServerResponse } from "effect/http"
import { RpcGroup, type RpcSerialization, RpcServer } from "effect/rpc"
import * as Answer from "./http/answer.ts"
import * as MethodRoute from "./http/methodRoute.ts"
import * as ServedMethod from "./internal/servedMethod.ts"
import * as Wire from "./internal/wire.ts"
import type * as Model from "./Model.ts"

/**
 * Serves services over HTTP, everything derived from their contracts.
 *
 * - `POST /<service>/<method>` calls a method: with JSON, or with the bytes themselves (`application/octet-stream`,
 *   `image/*`, ...) where the payload is one field of bytes. It answers JSON, bytes where the result is bytes, or one
 *   JSON value a line for a stream.
 * - `POST /rpc` is what `Remote.layerHttp` calls; tensors and bytes travel as they are.
 * - `GET /livez` answers while the process runs, `GET /readyz` once the services are built and until the server stops.
 *
 * A failure is `{ "_tag", "error", ...fields }` with the `httpApiStatus` of a declared error; a `ServiceError` is under
 * the tag of its reason with 400, 429, 502, 503 or 504. A defect is 500; its cause is logged and not told. A body over
 * `maxBodySize` (32 MiB) is refused with 413. A client that goes away interrupts its call.
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
  options: { readonly maxBodySize?: ByteSize.Input } = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | ServicesOf<Services>> => {
  const guard = guardWith(
    options.maxBodySize === undefined ? defaultMaxBodySize : ByteSize.fromInputUnsafe(options.maxBodySize)
  )
  return Layer.mergeAll(methodRoutes(services, guard), rpcRoute(services, guard), healthRoutes, otherRoutes(services))
}

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

type Guard = <E, R>(
  route: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>

const methodRoutes = <Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  guard: Guard
): Layer.Layer<never, never, HttpRouter.HttpRouter | ServicesOf<Services>> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    for (const service of services) {
      const client = yield* clientOf(service)
      for (const method of service.methods.values()) {
        yield* router.add("POST", methodPath(service, method), guard(MethodRoute.make(service.key, method, client)))
      }
    }
  }))

const rpcRoute = <Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  guard: Guard
): Layer.Layer<never, never, HttpRouter.HttpRouter | ServicesOf<Services>> =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const { httpEffect, protocol } = yield* RpcServer.makeProtocolWithHttpEffect()
    yield* Effect.provideService(serveProtocol(services), RpcServer.Protocol, protocol)
    yield* router.add("POST", Wire.rpcPath, guard(httpEffect))
  })).pipe(Layer.provide(Wire.serialization))

/** Answers calls over the protocol of the context until the scope closes. */
const serveProtocol = Effect.fnUntraced(function*<Services extends ReadonlyArray<Model.Any>>(services: Services) {
  const group = mergeProtocols(services)
  const { codecFor } = yield* RpcServer.Protocol
  const handlers = yield* group.toHandlers(yield* handlersOf(services, codecFor))
  yield* RpcServer.make(group, { disableFatalDefects: true, disableTracing: true }).pipe(
    Effect.provideContext(handlers),
    Effect.forkScoped
  )
})

const mergeProtocols = (services: ReadonlyArray<Model.Any>): Model.Protocol =>
  // A group is invariant in its methods, whose types are erased here on purpose.
  RpcGroup.make().merge(...services.map((service) => service.protocol)) as RpcGroup.Any as Model.Protocol

/** The methods of the services in the context, each by the name under which it travels. */
const handlersOf = Effect.fnUntraced(function*<Services extends ReadonlyArray<Model.Any>>(
  services: Services,
  codecFor: RpcSerialization.CodecFor
) {
  const handlers: Record<string, (...request: Parameters<ServedMethod.Handler>) => Effect.Effect<unknown, unknown>> = {}
  for (const service of services) {
    const client = yield* clientOf(service)
    for (const method of service.methods.values()) {
      const handler = ServedMethod.make(service.key, method, codecFor, client[method.name]!)
      // A streaming method returns a stream here, as its schema in the protocol says.
      handlers[`${service.key}/${method.name}`] = handler as (typeof handlers)[string]
    }
  }
  return handlers
})

const clientOf = <Service extends Model.Any>(
  service: Service
): Effect.Effect<Model.AnyClient, never, Model.Identifier<Service>> => service

/** Answers when the process runs, and while it takes calls. */
const healthRoutes = HttpRouter.use(Effect.fnUntraced(function*(router) {
  let draining = false
  yield* Effect.addFinalizer(() => Effect.sync(() => draining = true))
  const ready = Effect.sync(() =>
    draining
      ? Answer.toResponse(Answer.failure(503, "Draining", "the server is stopping"))
      : HttpServerResponse.jsonUnsafe({ status: "ready" })
  )
  yield* router.add("GET", "/livez", HttpServerResponse.jsonUnsafe({ status: "alive" }))
  yield* router.add("GET", "/readyz", ready)
}))

/** What is no route gets an answer that says which routes there are. */
const otherRoutes = (services: ReadonlyArray<Model.Any>) => {
  const paths = services.flatMap((service) =>
    Array.from(service.methods.values(), (method) => methodPath(service, method))
  )
  const offer = paths.map((path) => `POST ${path}`).join(", ")
  return HttpRouter.add("*", "/*", (request) => {
    const path = request.url.split("?", 1)[0]!
    const failure = paths.some((known) => known === path)
      ? Answer.failure(405, "MethodNotAllowed", `${path} answers POST, not ${request.method}`, { allow: "POST" })
      : Answer.failure(404, "NotFound", `there is no ${request.method} ${path}: this server offers ${offer}`)
    return Effect.succeed(Answer.toResponse(failure))
  })
}

const defaultMaxBodySize = ByteSize.mebibytes(32)

/** Bounds the body of a request and turns whatever is left in the cause of a route into an answer. */
const guardWith = (maxBodySize: ByteSize.ByteSize): Guard => {
  const limit = ByteSize.format(maxBodySize, { system: "binary" })
  const answer = (cause: Cause.Cause<unknown>) => {
    const reason = requestFailure(cause)
    if (reason?._tag !== "RequestParseError") {
      return Effect.as(Effect.logError("A call failed with a defect", cause), Answer.failure(500, "Defect", unexpected))
    }
    return Effect.succeed(
      reason.reason === "BodyTooLarge"
        ? Answer.failure(413, "PayloadTooLarge", `the body is larger than the ${limit} that this server takes`)
        : Answer.failure(400, "InvalidPayload", "the body could not be read")
    )
  }
  return (route) =>
    route.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, maxBodySize),
      Effect.catchCause((cause) =>
        Cause.hasInterrupts(cause) ? Effect.failCause(Cause.interrupt()) : Effect.map(answer(cause), Answer.toResponse)
      )
    )
}

const unexpected = "the service failed in a way its contract does not declare; the log of the server has the cause"

const requestFailure = (cause: Cause.Cause<unknown>): HttpServerError.HttpServerErrorReason | undefined => {
  for (const reason of cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    if (error instanceof HttpServerError.HttpServerError) return error.reason
  }
  return undefined
}

const methodPath = (service: Model.Any, method: Model.Definition): `/${string}` => `/${service.key}/${method.name}`
