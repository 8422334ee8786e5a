/** A caller and a server in one process, between which every message goes as a frame. */
import { Context, Effect, Layer, Queue } from "effect"
import { RpcClient, type RpcMessage, RpcServer } from "effect/rpc"
import { codecFor } from "./bytesCodec.ts"
import * as CallContext from "./callContext.ts"
import { deliver } from "./deliver.ts"
import * as Frames from "./frames.ts"

type FromClient = RpcMessage.FromClientEncoded
type FromServer = RpcMessage.FromServerEncoded

/** The one client that the server has. */
const client = 0

/** Both ends of a connection that writes and reads frames, without anything between. */
export const layer: Layer.Layer<RpcClient.Protocol | RpcServer.Protocol> = Layer.effectContext(Effect.gen(function*() {
  // What one side sends runs in a fiber of the other: nothing reaches it but what the message holds.
  const runFork = Effect.runForkWith(CallContext.ofLayer(yield* Effect.context<never>()))
  const disconnects = yield* Queue.make<number>()
  const clientIds = new Map<string | number, number>()
  // Both ends are in this process: there is nobody who could send what is no message.
  const fail = (defect: unknown) => {
    throw defect
  }
  let toServer: (message: FromClient) => void = () => undefined
  let toClient: (message: FromServer) => void = () => undefined

  const server = yield* RpcServer.Protocol.make((writeRequest) =>
    Effect.sync(() => {
      toServer = (message) => {
        deliver(runFork, () => writeRequest(client, message), fail)
      }
      return {
        disconnects,
        send: (_, message) => Effect.sync(() => travel(message, toClient)),
        end: () => Effect.void,
        clientIds: Effect.succeed(new Set([client])),
        initialMessage: Effect.succeedNone,
        supportsAck: true,
        supportsTransferables: false,
        supportsSpanPropagation: true,
        supportsNotifications: true,
        codecFor
      }
    })
  )

  const caller = yield* RpcClient.Protocol.make((writeResponse, allClientIds) =>
    Effect.sync(() => {
      toClient = (message) => {
        for (const id of receiversOf(message, clientIds, allClientIds)) {
          deliver(runFork, () => writeResponse(id, message), fail)
        }
      }
      return {
        send: (clientId, message) =>
          Effect.sync(() => {
            if (message._tag === "Request") clientIds.set(message.id, clientId)
            travel(message, toServer)
          }),
        supportsAck: true,
        supportsTransferables: false,
        codecFor
      }
    })
  )

  return Context.make(RpcServer.Protocol, server).pipe(Context.add(RpcClient.Protocol, caller))
}))

/** Writes a message and reads it again when the present turn is over, as if it had come from elsewhere. */
const travel = <Message>(message: Message, deliver: (message: Message) => void): void => {
  const frame = Frames.encode([message])
  // The frame holds what was written into it, which is a message of that type.
  queueMicrotask(() => deliver(Frames.decode(frame) as Message))
}

const receiversOf = (
  message: FromServer,
  clientIds: Map<string | number, number>,
  allClientIds: ReadonlySet<number>
): Iterable<number> => {
  if (message._tag !== "Chunk" && message._tag !== "Exit") return Array.from(allClientIds)
  const id = clientIds.get(message.requestId)
  if (message._tag === "Exit") clientIds.delete(message.requestId)
  return id === undefined ? [] : [id]
}
