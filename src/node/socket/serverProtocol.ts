/** The `RpcServer.Protocol` of a listening socket: each connection is a client. */
import { Context, type Duration, Effect, Queue, Schedule, Tracer } from "effect"
import { type RpcMessage, RpcServer } from "effect/rpc"
import type * as Net from "node:net"
import { codecFor } from "../../internal/bytesCodec.ts"
import * as Frames from "../../internal/frames.ts"
import * as Connection from "./connection.ts"
import * as FrameReader from "./frameReader.ts"

export interface SocketProtocol {
  readonly protocol: RpcServer.Protocol["Service"]
  /** Takes a connection that was accepted. */
  readonly accept: (socket: Net.Socket) => void
  /** Hangs up on every client, once what was sent to it is written. */
  readonly endAll: Effect.Effect<void>
}

export const make = Effect.fnUntraced(function*(options: {
  readonly maxFrameSize: number
  readonly frameTimeout: Duration.Input
}) {
  const connections = new Map<number, Connection.Connection>()
  const disconnects = yield* Queue.make<number>()
  // A call is part of its caller's trace, not of the span in which the server was built.
  const context = Context.omit(Tracer.ParentSpan)(yield* Effect.context<never>())
  const runFork = Effect.runForkWith(context)
  let accept: SocketProtocol["accept"] = () => undefined
  let nextId = 0

  const protocol = yield* RpcServer.Protocol.make((writeRequest) =>
    Effect.sync(() => {
      const receive = (id: number, message: RpcMessage.FromClientEncoded, connection: Connection.Connection) => {
        runFork(
          Effect.catchDefect(Effect.suspend(() => writeRequest(id, message)), (defect) =>
            Effect.sync(() =>
              connection.fail(new Frames.FrameError({ message: `a message is malformed: ${defect}` }))
            ))
        )
      }
      accept = (socket) => {
        const id = nextId++
        const connection = Connection.make<RpcMessage.FromClientEncoded>(socket, {
          maxFrameSize: options.maxFrameSize,
          pausesReading: true,
          onOpen: () => undefined,
          onMessage: (message, connection) => receive(id, message, connection),
          onClose: (_, error) => {
            connections.delete(id)
            Queue.offerUnsafe(disconnects, id)
            if (error !== undefined) runFork(Effect.logDebug(`A connection was closed: ${error.message}`))
          }
        })
        connections.set(id, connection)
        socket.on("data", (chunk: Buffer) => {
          connection.receive(chunk)
          FrameReader.release(chunk)
        })
      }
      return {
        disconnects,
        send: (id: number, message: RpcMessage.FromServerEncoded) =>
          Effect.suspend(() => {
            const connection = connections.get(id)
            if (connection === undefined || !connection.isOpen()) return Effect.void
            const tooLarge = connection.send(message)
            return tooLarge === undefined ? Effect.void : Effect.die(
              new Frames.FrameError({
                message: `an answer of ${tooLarge.length} bytes is over the limit of ${tooLarge.limit}`
              })
            )
          }),
        end: (id: number) => Effect.sync(() => connections.get(id)?.end()),
        clientIds: Effect.sync(() => new Set(connections.keys())),
        initialMessage: Effect.succeedNone,
        supportsAck: true,
        supportsTransferables: false,
        supportsSpanPropagation: true,
        supportsNotifications: true,
        codecFor
      }
    })
  )

  yield* Effect.sync(() => {
    for (const connection of connections.values()) {
      if (connection.isStalled()) connection.fail(new Frames.FrameError({ message: "the other side fell silent" }))
    }
  }).pipe(Effect.repeat(Schedule.spaced(options.frameTimeout)), Effect.forkScoped)

  const endAll = Effect.sync(() => {
    for (const connection of connections.values()) connection.end()
  })
  const result: SocketProtocol = { protocol, accept: (socket) => accept(socket), endAll }
  return result
})
