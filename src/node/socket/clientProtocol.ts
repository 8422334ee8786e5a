/** The `RpcClient.Protocol` of a socket: one connection, made when a call needs it. */
import { Deferred, type Duration, Effect, Schedule } from "effect"
import { RpcClient, type RpcMessage } from "effect/rpc"
import { codecFor } from "../../internal/bytesCodec.ts"
import * as FailedExit from "../../internal/failedExit.ts"
import * as Frames from "../../internal/frames.ts"
import { ReplicaLoad } from "../../internal/replicaLoad.ts"
import * as ServiceError from "../../ServiceError.ts"
import type * as Connection from "./connection.ts"

type Message = RpcMessage.FromServerEncoded
type RequestId = string | number

/** A request that waits for its answer. */
interface Waiting {
  readonly clientId: number
  readonly tag: string
}

/** Starts a connection; returns how to give up on it. */
export type Dial = (events: {
  readonly onOpen: (connection: Connection.Connection) => void
  readonly onMessage: (message: Message, connection: Connection.Connection) => void
  readonly onClose: (connection: Connection.Connection, error: Error | undefined) => void
}) => Connection.Connection

/** The requests on one connection that the server has not answered. */
interface Requests {
  readonly waiting: Map<RequestId, Waiting>
  /** Those whose callers have gone. */
  readonly abandoned: Set<RequestId>
}

interface Open extends Requests {
  readonly connection: Connection.Connection
}

const retries = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("250 millis")])

export const make = (options: {
  readonly dial: Dial
  /** Where the server is, for messages. */
  readonly address: string
  readonly connectTimeout: Duration.Input
}) =>
  RpcClient.Protocol.make(Effect.fnUntraced(function*(writeResponse, clientIds) {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<never>()
    const load = yield* ReplicaLoad
    const runFork = Effect.runForkWith(context)
    let open: Open | undefined
    let connecting: Deferred.Deferred<Open, ServiceError.Reason> | undefined

    const refuse = (requestId: RequestId, { clientId, tag }: Waiting, reason: ServiceError.Reason) =>
      writeResponse(clientId, FailedExit.make(requestId, tag, reason))

    const abandon = ({ abandoned, waiting }: Requests, requestId: RequestId) => {
      waiting.delete(requestId)
      abandoned.add(requestId)
      load.abandoned++
    }

    const free = (requests: number) => {
      if (requests === 0) return
      load.abandoned -= requests
      load.onFreed()
    }

    const onMessage = (requests: Requests) => (message: Message, connection: Connection.Connection) => {
      const deliver = deliveryOf(message, requests)
      if (deliver === undefined) return
      runFork(
        Effect.catchDefect(Effect.suspend(deliver), (defect) => Effect.sync(() => connection.fail(toError(defect))))
      )
    }

    const deliveryOf = (message: Message, { abandoned, waiting }: Requests) => {
      switch (message._tag) {
        case "Chunk":
        case "Exit": {
          if (message._tag === "Exit" && abandoned.delete(message.requestId)) free(1)
          const request = waiting.get(message.requestId)
          if (request === undefined) return undefined
          if (message._tag === "Exit") waiting.delete(message.requestId)
          return () => writeResponse(request.clientId, message)
        }
        case "Defect": {
          waiting.clear()
          return () => Effect.forEach(Array.from(clientIds), (id) => writeResponse(id, message), { discard: true })
        }
        default:
          return undefined
      }
    }

    const onClose = ({ abandoned, waiting }: Requests, reason: ServiceError.Reason) => {
      const requests = Array.from(waiting)
      waiting.clear()
      const left = abandoned.size
      abandoned.clear()
      free(left)
      for (const [requestId, request] of requests) runFork(refuse(requestId, request, reason))
    }

    const dial = Effect.callback<Open, ServiceError.Reason>((resume) => {
      const requests: Requests = { waiting: new Map(), abandoned: new Set() }
      const connection = options.dial({
        onOpen: (connection) => {
          open = { connection, ...requests }
          resume(Effect.succeed(open))
        },
        onMessage: onMessage(requests),
        onClose: (connection, error) => {
          if (open?.connection === connection) open = undefined
          const reason = reasonOf(options.address, error)
          onClose(requests, reason)
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

    const request = (clientId: number, message: RpcMessage.RequestEncoded, { connection, waiting }: Open) => {
      const sender = { clientId, tag: message.tag }
      // A connection may be gone again by the time that a call which waited for it goes on.
      if (!connection.isOpen()) return refuse(message.id, sender, reasonOf(options.address, undefined))
      const tooLarge = connection.send(message)
      if (tooLarge !== undefined) return refuse(message.id, sender, invalidPayload(tooLarge))
      waiting.set(message.id, sender)
      return Effect.void
    }

    yield* Effect.addFinalizer(() => Effect.sync(() => open?.connection.fail(new Error("the client was released"))))

    return {
      send: (clientId, message) =>
        Effect.suspend(() => {
          if (message._tag === "Request") {
            if (open?.connection.isOpen()) return request(clientId, message, open)
            return Effect.matchEffect(connect, {
              onSuccess: (now) => request(clientId, message, now),
              onFailure: (reason) => refuse(message.id, { clientId, tag: message.tag }, reason)
            })
          }
          if (message._tag !== "Ack" && message._tag !== "Interrupt") return Effect.void
          if (!open?.waiting.has(message.requestId)) return Effect.void
          if (message._tag === "Interrupt") abandon(open, message.requestId)
          if (open.connection.isOpen()) open.connection.send(message)
          return Effect.void
        }),
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
