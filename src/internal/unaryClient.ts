/**
 * The caller's side of calls that have one answer, over the `RpcClient.Protocol` of any transport.
 *
 * What travels are the messages of Effect's RPC, whose own client carries the streams. It starts a fiber for each request
 * and each answer and passes both through schemas of any value. Here a call is sent in the fiber of its caller, and its
 * answer resumes that: on a socket, where a call is otherwise a few microseconds of system calls, this is half its cost.
 */
import { Effect, Exit, Schema, type Scope } from "effect"
import { RpcClient, type RpcMessage } from "effect/rpc"
import { CallMap } from "./callMap.ts"

/** Sends a request by its tag, with a payload that is encoded; gives the result as it travels. */
export type Call = (
  tag: string,
  payload: unknown,
  headers: ReadonlyArray<[string, string]>
) => Effect.Effect<unknown, unknown>

/** A call whose caller waits for its answer. */
interface Waiting {
  answer: Answer | undefined
  resume: ((answer: Answer) => void) | undefined
}

type Answer = Effect.Effect<unknown, unknown>

/** The calls end with the scope: those that wait then are interrupted. */
export const make: Effect.Effect<Call, never, RpcClient.Protocol | Scope.Scope> = Effect.gen(function*() {
  const { codecFor, run, send } = yield* RpcClient.Protocol
  const clientId = nextId()
  const decodeExit = Schema.decodeUnknownEffect(codecFor(Schema.Exit(Schema.Any, Schema.Any, Schema.Defect())))
  const decodeDefect = Schema.decodeUnknownExit(codecFor(Schema.Defect()))
  const waiting = new CallMap<string | number, Waiting>()
  let isClosed = false

  const settle = (call: Waiting, answer: Answer) => {
    call.answer = answer
    call.resume?.(answer)
  }
  /** Resumes all that wait, who may call again at once. */
  const settleAll = (answer: Answer) => {
    const calls = waiting.entries()
    waiting.clear()
    for (const [, call] of calls) settle(call, answer)
  }

  const receive = (message: RpcMessage.FromServerEncoded): Effect.Effect<void> => {
    switch (message._tag) {
      case "Exit": {
        const call = waiting.get(message.requestId)
        if (call === undefined) break
        waiting.delete(message.requestId)
        settle(call, answerOf(message.exit))
        break
      }
      case "Defect":
        settleAll(Effect.flatMap(decodeDefect(message.defect), Effect.die))
        break
      case "ClientProtocolError":
        settleAll(Effect.fail(message.error))
    }
    return Effect.void
  }

  const answerOf = (exit: RpcMessage.ResponseExitEncoded["exit"]): Answer =>
    exit?._tag === "Success" ? Exit.succeed(exit.value) : Effect.flatten(Effect.orDie(decodeExit(exit)))

  /** What is to be done when the caller of a call that was sent has gone. */
  const leave = (id: number): Effect.Effect<void> =>
    Effect.suspend(() =>
      waiting.delete(id)
        ? Effect.ignore(Effect.timeout(send(clientId, { _tag: "Interrupt", requestId: id }), "1 second"))
        : Effect.void
    )

  yield* Effect.forkScoped(run(clientId, receive), { startImmediately: true })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      settleAll(Effect.interrupt)
    })
  )

  /** Sends a call where that takes time, such as until there is a connection. */
  const sendLater = (id: number, call: Waiting, sending: ReturnType<typeof send>) => {
    const answered = Effect.callback<unknown, unknown>((resume) => {
      if (call.answer === undefined) call.resume = resume
      else resume(call.answer)
    })
    return Effect.onExitPrimitive(
      Effect.suspend((): Effect.Effect<unknown, unknown> => {
        if (call.answer === undefined) waiting.set(id, call)
        return Effect.flatMap(sending, () => answered)
      }),
      (exit) => Exit.isSuccess(exit) ? undefined : leave(id)
    )
  }

  return (tag, payload, headers) =>
    Effect.callback<unknown, unknown>((resume) => {
      if (isClosed) return resume(Effect.interrupt)
      const id = nextId()
      const call: Waiting = { answer: undefined, resume: undefined }
      waiting.set(id, call)
      let sending: ReturnType<typeof send>
      try {
        sending = send(clientId, { _tag: "Request", id, tag, payload, headers })
      } catch (defect) {
        waiting.delete(id)
        return resume(Effect.die(defect))
      }
      if (call.answer !== undefined) return resume(call.answer)
      if (Exit.isExit(sending) && Exit.isSuccess(sending)) {
        call.resume = resume
        return leave(id)
      }
      waiting.delete(id)
      resume(sendLater(id, call, sending))
    })
})

let lastId = 0

/** Ids of clients and requests below zero, where the client of Effect's RPC has none. */
const nextId = () => --lastId
