/**
 * Layers that satisfy a service by calling it elsewhere.
 *
 * The caller's program does not change: the same key, the same methods, the
 * same errors. Only the layer that satisfies the key is another one.
 *
 * @since 0.1.0
 */
import { Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import { type Rpc, RpcClient, type RpcClientError } from "effect/rpc"
import * as ClientProtocol from "./http/clientProtocol.ts"
import * as RemoteMethod from "./internal/remoteMethod.ts"
import * as UnaryClient from "./internal/unaryClient.ts"
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
  layerProtocol(service).pipe(Layer.provide(Layer.effect(RpcClient.Protocol, protocolHttp(options.url))))

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
      const call = yield* UnaryClient.make
      const client = yield* RpcClient.make(service.protocol, { flatten: true, disableTracing: true })
      const methods = yield* Effect.forEach(
        service.methods.values(),
        (method) =>
          RemoteMethod.make(service.key, method, {
            codecFor,
            call,
            // The wire erases the types of the methods, by name; `service` states them again for the caller.
            callStream: client as RemoteMethod.RpcCall,
            toReason
          })
      )
      const names = Array.from(service.methods.keys())
      return Object.fromEntries(names.map((name, index) => [name, methods[index]])) as Model.Client<Rpcs>
    })
  )

const protocolHttp = (url: string) =>
  Effect.flatMap(
    HttpClient.HttpClient,
    (client) => ClientProtocol.make(client, `${url.replace(/\/+$/, "")}${Wire.rpcPath}`)
  )

// The protocols of this library fail a call in the answer that they give; this is for those of others.
const toReason = (failure: RpcClientError.RpcClientError["reason"]): ServiceError.Reason =>
  new ServiceError.Unavailable({ detail: failure.message })
