/**
 * Layers that satisfy a service by calling it elsewhere.
 *
 * The caller's program does not change: the same key, the same methods, the
 * same errors. Only the layer that satisfies the key is another one.
 *
 * @since 0.1.0
 */
import { Duration, Effect, Layer } from "effect"
import { HttpClient, HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { type Rpc, RpcClient, type RpcClientError } from "effect/rpc"
import * as RemoteMethod from "./internal/remoteMethod.ts"
import * as Wire from "./internal/wire.ts"
import type * as Model from "./Model.ts"
import * as ServiceError from "./ServiceError.ts"

/**
 * Satisfies a service with the server at a URL, such as one that runs `Serve.http`.
 *
 * `url` is the base of the server, without a path of a method. Tensors and bytes travel as they are. A payload that
 * does not fit the contract is refused here, before it is sent. Interrupting a call closes its request, which
 * interrupts the handler. A server that cannot be reached is `Unavailable`, one that answers something else than the
 * contract `ContractMismatch`, and a body over its limit `InvalidPayload`.
 *
 * **Example** (The same program with a service elsewhere)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Model, Remote } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const program = Effect.gen(function*() {
 *   const reader = yield* Reader
 *   return yield* reader.read()
 * })
 *
 * const ReaderRemote = Remote.layerHttp(Reader, { url: "http://127.0.0.1:3000" }).pipe(
 *   Layer.provide(NodeHttpClient.layerUndici)
 * )
 *
 * export const main = program.pipe(Effect.provide(ReaderRemote))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: { readonly url: string }
): Layer.Layer<Self, never, HttpClient.HttpClient> =>
  layerProtocol(service).pipe(
    Layer.provide(Layer.effect(RpcClient.Protocol, protocolHttp(options.url))),
    Layer.provide(Wire.serialization)
  )

/**
 * Satisfies a service over the `RpcClient.Protocol` of the context, for transports of your own.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerProtocol = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>
): Layer.Layer<Self, never, RpcClient.Protocol> =>
  Layer.effect(
    service,
    Effect.gen(function*() {
      const { codecFor } = yield* RpcClient.Protocol
      const client = yield* RpcClient.make(service.protocol, { flatten: true, disableTracing: true })
      // The wire erases the types of the methods, by name; `service` states them again for the caller.
      const call = client as RemoteMethod.Call
      const methods = yield* Effect.forEach(
        service.methods.values(),
        (method) => RemoteMethod.make(service.key, method, { codecFor, call, toReason })
      )
      const names = Array.from(service.methods.keys())
      return Object.fromEntries(names.map((name, index) => [name, methods[index]])) as Model.Client<Rpcs>
    })
  )

const protocolHttp = (url: string) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    client.pipe(
      HttpClient.mapRequest(HttpClientRequest.prependUrl(`${url.replace(/\/+$/, "")}${Wire.rpcPath}`)),
      HttpClient.filterStatusOk,
      HttpClient.transformResponse(Effect.tap(requireContentType)),
      RpcClient.makeProtocolHttp
    ))

// The decoder of messages waits for more bytes where none of the contract will come, such as a page of some other server.
const requireContentType = (response: HttpClientResponse.HttpClientResponse) =>
  response.headers["content-type"] === Wire.contentType
    ? Effect.void
    : new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({
        request: response.request,
        response,
        description: `it answered ${
          response.headers["content-type"] ?? "without content-type"
        }, not ${Wire.contentType}`
      })
    })

const toReason = (failure: RpcClientError.RpcClientError["reason"]): ServiceError.Reason => {
  if (failure._tag === "RpcClientDefect") {
    return failure.message === "Error decoding HTTP response"
      ? new ServiceError.ContractMismatch({ detail: failure.message })
      : new ServiceError.Unavailable({ detail: failure.message })
  }
  const cause = failure._tag === "HttpError" ? failure.cause : undefined
  if (cause instanceof HttpClientError.StatusCodeError) return fromStatus(cause.response)
  if (cause instanceof HttpClientError.DecodeError) return new ServiceError.ContractMismatch({ detail: cause.message })
  return new ServiceError.Unavailable({ detail: failure.message })
}

const fromStatus = (response: HttpClientResponse.HttpClientResponse): ServiceError.Reason => {
  const detail = `${response.request.url} answered with status ${response.status}`
  switch (response.status) {
    case 413:
      return new ServiceError.InvalidPayload({ issue: `${detail}: the body is over the limit of the server` })
    case 429:
      return new ServiceError.Overloaded({ retryAfter: Duration.seconds(Number(response.headers["retry-after"] ?? 1)) })
    case 500:
    case 502:
    case 503:
    case 504:
      return new ServiceError.Unavailable({ detail })
    default:
      return new ServiceError.ContractMismatch({ detail })
  }
}
