/** The `RpcServer.Protocol` of a thread: its one client is the thread that started it. */
import { Effect, Queue } from "effect"
import { type RpcMessage, RpcServer } from "effect/rpc"
import type { MessagePort } from "node:worker_threads"
import { codecForClones } from "../../internal/bytesCodec.ts"
import * as CallContext from "../../internal/callContext.ts"
import { deliver } from "../../internal/deliver.ts"
import * as PortMessages from "./portMessages.ts"

const client = 0

/** Serves over a port. */
export const make = Effect.fnUntraced(function*(port: MessagePort) {
  const disconnects = yield* Queue.make<number>()
  // A call is part of its caller's trace, not of the span in which the server was built.
  const runFork = Effect.runForkWith(CallContext.ofLayer(yield* Effect.context<never>()))
  // The other half of this module sent it: what is no message is a bug, which ends the thread.
  const fail = (defect: unknown) => {
    throw defect
  }
  const send = PortMessages.makeSender((batch, transfer) => port.postMessage(batch, transfer))
  return yield* RpcServer.Protocol.make((writeRequest) =>
    Effect.sync(() => {
      // What the client of a thread sends is what RPC has a server receive.
      const receive = PortMessages.makeReceiver((message) =>
        deliver(runFork, () => writeRequest(client, message as RpcMessage.FromClientEncoded), fail)
      )
      port.on("message", receive)
      return {
        disconnects,
        send: (_client: number, message: RpcMessage.FromServerEncoded) => {
          send(message)
          return Effect.void
        },
        end: () => Effect.void,
        clientIds: Effect.succeed(new Set([client])),
        initialMessage: Effect.succeedNone,
        supportsAck: true,
        supportsTransferables: false,
        supportsSpanPropagation: true,
        supportsNotifications: true,
        codecFor: codecForClones
      }
    })
  )
})
