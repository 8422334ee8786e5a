/**
 * The `RpcClient.Protocol` of one replica: one link that is there from the beginning and ends once.
 *
 * A call whose caller has gone stays counted until the replica has answered it, because until then it works on it.
 */
import { Clock, Duration, Effect } from "effect"
import { RpcClient, type RpcMessage, type RpcSerialization } from "effect/rpc"
import * as CallContext from "../../internal/callContext.ts"
import * as CallHeaders from "../../internal/callHeaders.ts"
import { CallMap } from "../../internal/callMap.ts"
import { deliver } from "../../internal/deliver.ts"
import * as FailedExit from "../../internal/failedExit.ts"
import { ReplicaEnd } from "../../internal/replicaEnd.ts"
import { ReplicaLoad } from "../../internal/replicaLoad.ts"
import * as ServiceError from "../../ServiceError.ts"

type Message = RpcMessage.FromServerEncoded
type RequestId = string | number

/** A request that the replica has not answered. */
interface Waiting {
  readonly clientId: number
  readonly tag: string
  /** When it has had its deadline and the time after it, in milliseconds of the monotonic clock. */
  readonly overdueAt: number
  abandoned: boolean
}

export interface Link {
  readonly protocol: RpcClient.Protocol["Service"]
  readonly receive: (message: Message) => void
  /** The replica is gone: the calls on it and all that come fail for this reason. */
  readonly close: (reason: ServiceError.Reason) => void
}

export const make = Effect.fnUntraced(function*(options: {
  readonly codecFor: RpcSerialization.CodecFor
  /** Sends a message, or says why it cannot be sent. */
  readonly send: (message: RpcMessage.FromClientEncoded) => ServiceError.Reason | undefined
  /** Called when the first call begins and when none is left. */
  readonly onBusy: (busy: boolean) => void
  readonly onMalformed: (defect: unknown) => void
  /** How long after its deadline a call may go on before `onOverdue` hears of it. */
  readonly killAfter: Duration.Duration
  readonly onOverdue: (tag: string) => void
}) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const load = yield* ReplicaLoad
  const end = yield* ReplicaEnd
  // What arrives belongs to the traces of the calls, not to the span in which the replica was started.
  const runFork = Effect.runForkWith(CallContext.ofLayer(yield* Effect.context<never>()))
  const waiting = new CallMap<RequestId, Waiting>()
  let gone: ServiceError.Reason | undefined
  let watching = false
  let receive: Link["receive"] = () => undefined
  let refuse: (id: RequestId, reason: ServiceError.Reason) => void = () => undefined

  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

  const watch: Effect.Effect<void> = Effect.sleep(checksEvery(options.killAfter)).pipe(
    Effect.andThen(Effect.sync(() => {
      const at = now()
      watching = false
      for (const [, { overdueAt, tag }] of waiting.entries()) {
        if (overdueAt <= at) return options.onOverdue(tag)
        watching ||= overdueAt !== Infinity
      }
    })),
    Effect.repeat({ while: () => watching }),
    Effect.asVoid
  )

  const add = (id: RequestId, request: Waiting) => {
    if (waiting.size === 0) options.onBusy(true)
    waiting.set(id, request)
    if (watching || request.overdueAt === Infinity) return Effect.void
    watching = true
    return Effect.asVoid(Effect.forkIn(watch, scope))
  }

  const remove = (id: RequestId, request: Waiting) => {
    waiting.delete(id)
    if (waiting.size === 0) options.onBusy(false)
    if (!request.abandoned) return
    load.abandoned--
    load.onFreed()
  }

  const overdueAt = ({ headers }: RpcMessage.RequestEncoded): number => {
    if (!Duration.isFinite(options.killAfter)) return Infinity
    const left = headers.find(([name]) => name === CallHeaders.deadlineHeader)?.[1]
    return left === undefined ? Infinity : now() + Number(left) + Duration.toMillis(options.killAfter)
  }

  const protocol = yield* RpcClient.Protocol.make((writeResponse, clientIds) =>
    Effect.sync(() => {
      refuse = (id, reason) => {
        const request = waiting.get(id)
        if (request === undefined) return
        remove(id, request)
        if (!request.abandoned) runFork(writeResponse(request.clientId, FailedExit.make(id, request.tag, reason)))
      }

      const deliveryOf = (message: Message) => {
        if (message._tag === "Defect") {
          for (const [id, request] of waiting.entries()) remove(id, request)
          return () => Effect.forEach(Array.from(clientIds), (id) => writeResponse(id, message), { discard: true })
        }
        if (message._tag !== "Chunk" && message._tag !== "Exit") return undefined
        const request = waiting.get(message.requestId)
        if (request === undefined) return undefined
        if (message._tag === "Exit") remove(message.requestId, request)
        return request.abandoned ? undefined : () => writeResponse(request.clientId, message)
      }

      receive = (message) => {
        const receiving = deliveryOf(message)
        if (receiving === undefined) return
        deliver(runFork, receiving, options.onMalformed)
      }

      const request = (clientId: number, message: RpcMessage.RequestEncoded) => {
        const refused = gone ?? options.send(message)
        return refused === undefined
          ? add(message.id, { clientId, tag: message.tag, overdueAt: overdueAt(message), abandoned: false })
          : writeResponse(clientId, FailedExit.make(message.id, message.tag, refused))
      }

      const abandon = (request: Waiting) => {
        request.abandoned = true
        load.abandoned++
      }

      return {
        // A call is on its way when this returns.
        send: (clientId, message) => {
          if (message._tag === "Request") return request(clientId, message)
          if (message._tag !== "Ack" && message._tag !== "Interrupt") return Effect.void
          const called = waiting.get(message.requestId)
          if (called === undefined || called.abandoned) return Effect.void
          if (message._tag === "Interrupt") abandon(called)
          options.send(message)
          return Effect.void
        },
        supportsAck: true,
        supportsTransferables: false,
        codecFor: options.codecFor
      }
    })
  )

  const close = (reason: ServiceError.Reason) => {
    gone ??= reason
    end.withdrawn()
    for (const [id] of waiting.entries()) refuse(id, gone)
    end.ended(new ServiceError.Unavailable({ detail: detailOf(gone) }))
  }
  const link: Link = { protocol, receive: (message) => receive(message), close }
  return link
})

const detailOf = (reason: ServiceError.Reason): string => "detail" in reason ? reason.detail : reason.message

const checksEvery = (killAfter: Duration.Duration): Duration.Duration =>
  Duration.max(Duration.millis(20), Duration.divideUnsafe(killAfter, 4))
