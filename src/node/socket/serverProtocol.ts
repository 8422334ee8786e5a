/** The `RpcServer.Protocol` of a listening socket: each connection is a client. */
import { Deferred, Duration, Effect, Queue, Schedule } from "effect"
import { type RpcMessage, RpcServer } from "effect/rpc"
import type * as Net from "node:net"
import { codecFor } from "../../internal/bytesCodec.ts"
import * as CallContext from "../../internal/callContext.ts"
import { CallMap } from "../../internal/callMap.ts"
import { deliver } from "../../internal/deliver.ts"
import * as FailedExit from "../../internal/failedExit.ts"
import * as Frames from "../../internal/frames.ts"
import * as ServiceError from "../../ServiceError.ts"
import * as Connection from "./connection.ts"
import * as FrameReader from "./frameReader.ts"

export interface SocketProtocol {
  readonly protocol: RpcServer.Protocol["Service"]
  /** Takes a connection that was accepted. */
  readonly accept: (socket: Net.Socket) => void
  /** Tells every client to go elsewhere, waits for the calls that run, and hangs up on those that are left. */
  readonly drain: (timeout: Duration.Input) => Effect.Effect<void>
}

/** A connection and the calls on it that were not answered. */
interface Client {
  readonly connection: Connection.Connection
  /** The tag of each by its id. */
  readonly calls: CallMap<string | number, string>
}

export const make = Effect.fnUntraced(function*(options: {
  readonly maxFrameSize: number
  readonly maxCalls: number
  readonly frameTimeout: Duration.Input
}) {
  const clients = new Map<number, Client>()
  const disconnects = yield* Queue.make<number>()
  // A call is part of its caller's trace, not of the span in which the server was built.
  const context = CallContext.ofLayer(yield* Effect.context<never>())
  const runFork = Effect.runForkWith(context)
  const emptied = Deferred.makeUnsafe<void>()
  let accept: SocketProtocol["accept"] = () => undefined
  let draining = false
  let nextId = 0

  const protocol = yield* RpcServer.Protocol.make((writeRequest) =>
    Effect.sync(() => {
      const receive = (id: number, message: RpcMessage.FromClientEncoded, { calls, connection }: Client) => {
        if (message._tag === "Request") {
          checkRequest(message)
          if (calls.size >= options.maxCalls) {
            connection.send(FailedExit.make(message.id, message.tag, overloaded))
            return
          }
          calls.set(message.id, message.tag)
        }
        deliver(
          runFork,
          () => writeRequest(id, message),
          (defect) => connection.fail(new Frames.FrameError({ message: `a message is malformed: ${defect}` }))
        )
      }
      accept = (socket) => {
        const id = nextId++
        const connection = Connection.make<RpcMessage.FromClientEncoded>(socket, {
          maxFrameSize: options.maxFrameSize,
          pausesReading: true,
          onOpen: () => undefined,
          onMessage: (message) => receive(id, message, client),
          onClose: (_, error) => {
            clients.delete(id)
            Queue.offerUnsafe(disconnects, id)
            if (draining && clients.size === 0) Deferred.doneUnsafe(emptied, Effect.void)
            if (error !== undefined) runFork(Effect.logDebug(`A connection was closed: ${error.message}`))
          }
        })
        const client: Client = { connection, calls: new CallMap() }
        clients.set(id, client)
        socket.on("data", (chunk: Buffer) => {
          connection.receive(chunk)
          FrameReader.release(chunk)
        })
      }
      return {
        disconnects,
        send: (id: number, message: RpcMessage.FromServerEncoded) => {
          const client = clients.get(id)
          return client === undefined || !client.connection.isOpen() ? Effect.void : answer(client, message)
        },
        end: (id: number) => Effect.sync(() => clients.get(id)?.connection.end()),
        clientIds: Effect.sync(() => new Set(clients.keys())),
        initialMessage: Effect.succeedNone,
        supportsAck: true,
        supportsTransferables: false,
        supportsSpanPropagation: true,
        supportsNotifications: false,
        codecFor
      }
    })
  )

  yield* Effect.sync(() => {
    for (const { connection } of clients.values()) {
      if (connection.isStalled()) connection.fail(new Frames.FrameError({ message: "the other side fell silent" }))
    }
  }).pipe(Effect.repeat(Schedule.spaced(options.frameTimeout)), Effect.forkScoped)

  const drain = (timeout: Duration.Input) =>
    Effect.suspend(() => {
      draining = true
      for (const { connection } of clients.values()) {
        if (connection.isOpen()) connection.sayClosing()
        else connection.end()
      }
      return clients.size === 0 ? Effect.void : Effect.timeoutOption(Deferred.await(emptied), timeout)
    }).pipe(
      Effect.andThen(Effect.sync(() => {
        for (const { connection } of clients.values()) connection.end()
      }))
    )

  const result: SocketProtocol = { protocol, accept: (socket) => accept(socket), drain }
  return result
})

/** What a client of this library sends has an id, a tag, and asks for an answer. */
const checkRequest = ({ discard, headers, id, isNotification, tag }: RpcMessage.RequestEncoded) => {
  const isCall = (typeof id === "string" || typeof id === "number") && typeof tag === "string" &&
    Array.isArray(headers) && discard !== true && isNotification !== true
  if (!isCall) throw new Frames.FrameError({ message: "a request is none of a call" })
}

const overloaded = new ServiceError.Overloaded({ retryAfter: Duration.millis(100) })

/** Sends what a call says. A call whose answer is over the limit fails instead, and is over. */
const answer = ({ calls, connection }: Client, message: RpcMessage.FromServerEncoded): Effect.Effect<void> => {
  if (message._tag !== "Exit" && message._tag !== "Chunk") {
    connection.send(message)
    return Effect.void
  }
  const { requestId } = message
  const tag = calls.get(requestId)
  if (tag === undefined) return Effect.void
  if (message._tag === "Exit") calls.delete(requestId)
  const tooLarge = connection.send(message)
  if (tooLarge === undefined) return Effect.void
  calls.delete(requestId)
  const detail = tooLargeToAnswer(tooLarge)
  const failed = FailedExit.make(requestId, tag, new ServiceError.ContractMismatch({ detail }))
  if (connection.send(failed) !== undefined) connection.fail(new Frames.FrameError({ message: detail }))
  // The RPC server interrupts a stream of which it cannot send an item.
  return message._tag === "Exit" ? Effect.void : Effect.die(new Frames.FrameError({ message: detail }))
}

const tooLargeToAnswer = ({ length, limit }: Connection.TooLarge): string =>
  `an answer of ${length} bytes is over the limit of ${limit}, which maxFrameSize raises on both sides`
