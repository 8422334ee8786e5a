/** The services that answer the calls over one protocol. */
import { Effect, type Stream } from "effect"
import type { Headers } from "effect/http"
import { RpcGroup, RpcServer } from "effect/rpc"
import type * as Model from "../Model.ts"
import * as CallContext from "./callContext.ts"
import * as CallHeaders from "./callHeaders.ts"
import * as Contract from "./contract.ts"
import * as ServedMethod from "./servedMethod.ts"
import * as StreamReceiver from "./streamReceiver.ts"
import * as UnaryServer from "./unaryServer.ts"

/** A service and its methods, which are at hand here. */
export interface Served {
  readonly service: Model.Any
  readonly client: Model.AnyClient
}

/** Answers calls over the protocol of the context until the scope closes. */
export const serve = Effect.fnUntraced(function*(services: ReadonlyArray<Served>) {
  const protocol = yield* RpcServer.Protocol
  const methods = handlersOf(services, { codecFor: protocol.codecFor, receiver: new StreamReceiver.Receiver() })
  const server = yield* UnaryServer.make(protocol, methods.unary)
  const group = groupOf(services)
  const handlers = Effect.updateContext(group.toHandlers(methods.all), CallContext.ofLayer)
  yield* RpcServer.make(group, { disableFatalDefects: true, disableTracing: true, onDisconnect: server.disconnect })
    .pipe(
      Effect.provideService(RpcServer.Protocol, server.protocol),
      Effect.provideContext(yield* handlers),
      Effect.forkScoped
    )
  yield* Effect.addFinalizer(() => server.close)
})

const groupOf = (services: ReadonlyArray<Served>): Model.Protocol =>
  // A group is invariant in its methods, whose types are erased here on purpose.
  RpcGroup.make(Contract.streamRpc).merge(
    ...services.map(({ service }) => service.protocol)
  ) as RpcGroup.Any as Model.Protocol

type Unary = Effect.Effect<unknown, unknown>

type RpcHandler = (payload: unknown, options: { readonly headers: Headers.Headers }) => Unary

/** The methods by the names under which they travel: those that answer once, and all as the server of RPC has them. */
const handlersOf = (services: ReadonlyArray<Served>, transport: ServedMethod.Transport) => {
  const push = StreamReceiver.handler(transport.receiver)
  const unary = new Map<string, UnaryServer.Handler>([[Contract.streamRpc._tag, push]])
  const all: Record<string, RpcHandler> = { [Contract.streamRpc._tag]: push }
  for (const { client, service } of services) {
    for (const method of service.methods.values()) {
      const tag = `${service.key}/${method.name}`
      const handler = ServedMethod.make(service.key, method, transport, client[method.name]!)
      // A method returns a stream where its schema in the protocol says so, and otherwise an effect.
      const answer = handler as (...args: Parameters<typeof handler>) => Exclude<ReturnType<typeof handler>, AnyStream>
      if (!method.stream) unary.set(tag, (payload, headers) => answer(payload, CallHeaders.carriedBy(headers)))
      all[tag] = (payload, { headers }) => answer(payload, CallHeaders.carriedIn(headers))
    }
  }
  return { unary, all }
}

type AnyStream = Stream.Stream<unknown, unknown>
