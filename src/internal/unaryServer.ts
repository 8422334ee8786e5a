/**
 * The callee's side of calls that have one answer, over the `RpcServer.Protocol` of any transport.
 *
 * What travels are the messages of Effect's RPC, whose own server carries the streams and everything else. It starts two
 * fibers for each request and keeps a scope, an observer and two registries of it. Here a call is one fiber, which sends
 * its own answer.
 */
import { Cause, Effect, ErrorReporter, Exit, Fiber, Schema } from "effect"
import { type RpcMessage, RpcSchema, type RpcServer } from "effect/rpc"
import * as CallContext from "./callContext.ts"
import { CallMap } from "./callMap.ts"

/** Answers a request with a payload as it travels. */
export type Handler = (
  payload: unknown,
  headers: RpcMessage.RequestEncoded["headers"]
) => Effect.Effect<unknown, unknown>

type Protocol = RpcServer.Protocol["Service"]
type Receive = Parameters<Protocol["run"]>[0]
type AnyFiber = Fiber.Fiber<unknown, unknown>

export interface UnaryServer {
  /** The protocol for the server of Effect's RPC, which sees only what is not answered here. */
  readonly protocol: Protocol
  /** Interrupts the calls of a client that has gone. */
  readonly disconnect: (clientId: number) => Effect.Effect<void>
  /** Interrupts all calls, and waits until they have ended. */
  readonly close: Effect.Effect<void>
}

interface Client {
  readonly calls: CallMap<string | number, AnyFiber>
  /** What is to be done when the last call has ended, once no further one comes. */
  end: (() => void) | undefined
}

/** Answers the requests for the given tags. */
export const make = Effect.fnUntraced(function*(protocol: Protocol, handlers: ReadonlyMap<string, Handler>) {
  const encodeExit = Schema.encodeUnknownEffect(
    protocol.codecFor(Schema.Exit(Schema.Any, Schema.Any, Schema.Defect()))
  )
  // A call is part of its caller's trace, not of the span in which the server was built.
  const runFork = Effect.runForkWith(CallContext.ofLayer(yield* Effect.context<never>()))
  const clients = new Map<number, Client>()
  let isClosed = false

  const sendFailure = (clientId: number, requestId: string | number, exit: Exit.Exit<unknown, unknown>) =>
    Effect.flatMap(Effect.orDie(encodeExit(exit)), (encoded) =>
      protocol.send(clientId, {
        _tag: "Exit",
        requestId,
        // An exit of any values is encoded as a message has it.
        exit: encoded as RpcMessage.ResponseExitEncoded["exit"]
      }))

  /** Sends the answer, at once where the protocol does. One that cannot be sent is a defect of its call alone. */
  const answer = (clientId: number, requestId: string | number, exit: Exit.Exit<unknown, unknown>) => {
    const die = (defect: unknown) => sendFailure(clientId, requestId, Exit.die(defect))
    const fail = (cause: Cause.Cause<unknown>) => die(Cause.squash(cause))
    if (Exit.isFailure(exit)) {
      const sent = Effect.catchCause(sendFailure(clientId, requestId, exit), fail)
      return Effect.andThen(ErrorReporter.report(exit.cause), sent)
    }
    try {
      const message = { _tag: "Exit", requestId, exit: { _tag: "Success", value: exit.value } } as const
      const sent = protocol.send(clientId, message)
      return Exit.isExit(sent) && Exit.isSuccess(sent) ? undefined : Effect.catchCause(sent, fail)
    } catch (defect) {
      return die(defect)
    }
  }

  const newClient = (clientId: number) => {
    const client: Client = { calls: new CallMap(), end: undefined }
    clients.set(clientId, client)
    return client
  }

  const start = (clientId: number, { headers, id, payload }: RpcMessage.RequestEncoded, handler: Handler) => {
    const client = clients.get(clientId) ?? newClient(clientId)
    const fiber = runFork(
      Effect.onExitPrimitive(
        Effect.withFiber((fiber) => {
          // Before the handler runs, which may be what closes the server.
          client.calls.set(id, fiber)
          return handler(payload, headers)
        }),
        (exit) => answer(clientId, id, exit)
      )
    )
    fiber.addObserver(() => {
      client.calls.delete(id)
      if (client.calls.size === 0) client.end?.()
    })
  }

  const disconnect = (clientId: number) => {
    const client = clients.get(clientId)
    if (client === undefined) return
    client.end = () => clients.delete(clientId)
    if (client.calls.size === 0) client.end()
    for (const [, call] of client.calls.entries()) call.interruptUnsafe()
  }

  const receive = (others: Receive): Receive => (clientId, message) => {
    const client = clients.get(clientId)
    switch (message._tag) {
      case "Request": {
        const handler = message.discard === true || message.isNotification === true
          ? undefined
          : handlers.get(message.tag)
        if (handler === undefined) return others(clientId, message)
        if (isClosed || client?.calls.has(message.id)) return Effect.interrupt
        start(clientId, message, handler)
        return Effect.void
      }
      case "Interrupt": {
        const call = client?.calls.get(message.requestId)
        if (call === undefined) return others(clientId, message)
        call.interruptUnsafe(undefined, RpcSchema.ClientAbort.annotation)
        return Effect.void
      }
      case "Eof": {
        if (client === undefined || client.calls.size === 0) return others(clientId, message)
        client.end = () => {
          client.end = undefined
          runFork(others(clientId, message))
        }
        return Effect.void
      }
      default:
        return others(clientId, message)
    }
  }

  const server: UnaryServer = {
    protocol: { ...protocol, run: (others) => protocol.run(receive(others)) },
    disconnect: (clientId) => Effect.sync(() => disconnect(clientId)),
    close: Effect.suspend(() => {
      isClosed = true
      return Fiber.interruptAll(
        Array.from(clients.values()).flatMap(({ calls }) => calls.entries().map(([, call]) => call))
      )
    })
  }
  return server
})
