/** The `RpcClient.Protocol` of a socket: one connection, made when a call needs it. */
import { Deferred, type Duration, Effect, type Fiber, Schedule } from "effect"
import { RpcClient, type RpcMessage } from "effect/rpc"
import { codecFor } from "../../internal/bytesCodec.ts"
import { deliver } from "../../internal/deliver.ts"
import * as FailedExit from "../../internal/failedExit.ts"
import * as Frames from "../../internal/frames.ts"
import { ReplicaLoad } from "../../internal/replicaLoad.ts"
import * as ServiceError from "../../ServiceError.ts"
import type * as Connection from "./connection.ts"
import * as Heartbeat from "./heartbeat.ts"
import { type RequestId, Requests, type Waiting } from "./requests.ts"

type Message = RpcMessage.FromServerEncoded

/** Starts a connection; returns how to give up on it. */
export type Dial = (events: {
  readonly onOpen: (connection: Connection.Connection) => void
  readonly onMessage: (message: Message, connection: Connection.Connection) => void
  readonly onClosing: (connection: Connection.Connection) => void
  readonly onClose: (connection: Connection.Connection, error: Error | undefined) => void
}) => Connection.Connection

/** A connection to which the server has said hello. */
interface Open {
  readonly connection: Connection.Connection
  readonly requests: Requests
}

const retries = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("250 millis")])

export const make = (options: {
  readonly dial: Dial
  /** Where the server is, for messages. */
  readonly address: string
  readonly connectTimeout: Duration.Input
  readonly heartbeat: Duration.Duration
}) =>
  RpcClient.Protocol.make(Effect.fnUntraced(function*(writeResponse, clientIds) {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<never>()
    const load = yield* ReplicaLoad
    const runFork = Effect.runForkWith(context)
    let open: Open | undefined
    /** Those whose servers are about to close; they are left when their last request is answered. */
    const leaving = new Set<Open>()
    let connecting: Deferred.Deferred<Open, ServiceError.Reason> | undefined

    const refuse = (requestId: RequestId, { clientId, tag }: Waiting, reason: ServiceError.Reason) =>
      writeResponse(clientId, FailedExit.make(requestId, tag, reason))

    const onMessage = (requests: Requests) => (message: Message, connection: Connection.Connection) => {
      const receiving = deliveryOf(message, requests)
      if (receiving !== undefined) deliver(runFork, receiving, (defect) => connection.fail(toError(defect)))
      if (leaving.size > 0) leave()
    }

    const deliveryOf = (message: Message, requests: Requests) => {
      switch (message._tag) {
        case "Chunk":
        case "Exit": {
          const request = requests.take(message)
          return request === undefined ? undefined : () => writeResponse(request.clientId, message)
        }
        case "Defect": {
          requests.clearWaiting()
          return () => Effect.forEach(Array.from(clientIds), (id) => writeResponse(id, message), { discard: true })
        }
        default:
          return undefined
      }
    }

    const leave = () => {
      for (const link of leaving) {
        if (!link.requests.isEmpty()) continue
        leaving.delete(link)
        link.connection.end()
      }
    }

    const dial = Effect.callback<Open, ServiceError.Reason>((resume) => {
      const requests = new Requests(load)
      let link: Open | undefined
      let watching: Fiber.Fiber<void> | undefined
      const connection = options.dial({
        onOpen: (connection) => {
          link = { connection, requests }
          open = link
          watching = runFork(
            Heartbeat.watch(connection, { interval: options.heartbeat, isAwaiting: () => !requests.isEmpty() })
          )
          resume(Effect.succeed(link))
        },
        onMessage: onMessage(requests),
        onClosing: () => {
          if (link === undefined) return
          if (open === link) open = undefined
          leaving.add(link)
          leave()
        },
        onClose: (_, error) => {
          if (open === link) open = undefined
          if (link !== undefined) leaving.delete(link)
          watching?.interruptUnsafe()
          const reason = reasonOf(options.address, error)
          for (const [requestId, request] of requests.clear()) runFork(refuse(requestId, request, reason))
          resume(Effect.fail(reason))
        }
      })
      return Effect.sync(() => connection.fail(new Error("the attempt was given up")))
    })

    /** Tries to connect until the time for that is over, once for all calls that wait for it. */
    const connect = Effect.suspend(() => {
      if (connecting !== undefined) return Deferred.await(connecting)
      const attempt = Deferred.makeUnsafe<Open, ServiceError.Reason>()
      connecting = attempt
      let last = unavailable(options.address, "it did not answer")
      return dial.pipe(
        Effect.tapError((reason) => Effect.sync(() => last = reason)),
        Effect.retry({ schedule: retries, while: (reason) => reason.isRetryable }),
        Effect.timeoutOrElse({ duration: options.connectTimeout, orElse: () => Effect.fail(last) }),
        Effect.onExit((exit) => {
          connecting = undefined
          return Deferred.done(attempt, exit)
        }),
        Effect.forkIn(scope, { startImmediately: true }),
        Effect.andThen(Deferred.await(attempt))
      )
    })

    const request = (clientId: number, message: RpcMessage.RequestEncoded, { connection, requests }: Open) => {
      const sender = { clientId, tag: message.tag }
      // A connection may be gone again by the time that a call which waited for it goes on.
      if (!connection.isOpen()) return refuse(message.id, sender, reasonOf(options.address, undefined))
      const tooLarge = connection.send(message)
      if (tooLarge !== undefined) return refuse(message.id, sender, invalidPayload(tooLarge))
      requests.add(message.id, sender)
      return Effect.void
    }

    const linkOf = (requestId: RequestId): Open | undefined => {
      if (open?.requests.isWaiting(requestId)) return open
      for (const link of leaving) if (link.requests.isWaiting(requestId)) return link
      return undefined
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const { connection } of open === undefined ? leaving : [open, ...leaving]) {
          connection.fail(new Error("the client was released"))
        }
      })
    )

    return {
      // A call over a connection that is open is on its way when this returns.
      send: (clientId, message) => {
        if (message._tag === "Request") {
          if (open?.connection.isOpen()) return request(clientId, message, open)
          return Effect.matchEffect(connect, {
            onSuccess: (now) => request(clientId, message, now),
            onFailure: (reason) => refuse(message.id, { clientId, tag: message.tag }, reason)
          })
        }
        if (message._tag !== "Ack" && message._tag !== "Interrupt") return Effect.void
        const link = linkOf(message.requestId)
        if (link === undefined) return Effect.void
        if (message._tag === "Interrupt") link.requests.abandon(message.requestId)
        if (link.connection.isOpen()) link.connection.send(message)
        return Effect.void
      },
      supportsAck: true,
      supportsTransferables: false,
      codecFor
    }
  }))

const invalidPayload = ({ length, limit }: Connection.TooLarge) =>
  new ServiceError.InvalidPayload({ issue: `a message of ${length} bytes is over the limit of ${limit}` })

const reasonOf = (address: string, error: Error | undefined): ServiceError.Reason =>
  error instanceof Frames.FrameError
    ? new ServiceError.ContractMismatch({ detail: `${address}: ${error.message}` })
    : unavailable(address, describe(error))

const unavailable = (address: string, what: string): ServiceError.Reason =>
  new ServiceError.Unavailable({ detail: `${address}: ${what}` })

// An attempt at several addresses of a name fails with an error that has a code and no message.
const describe = (error: Error | undefined): string =>
  error === undefined
    ? "the connection was closed"
    : error.message || ("code" in error ? String(error.code) : error.name)

const toError = (defect: unknown) => defect instanceof Error ? defect : new Error(String(defect))
