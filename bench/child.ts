/** Programs in processes of their own, and the questions that they answer. */
import { Data, Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"

/** A process has ended, or could not do what it was asked. */
export class ChildFailed extends Data.TaggedError("ChildFailed")<{ readonly message: string }> {}

/** What a program answers, by name: functions of one payload that a message can carry. */
type Answers<Program> = { readonly [Name in keyof Program]: (payload: never) => Promise<unknown> }

type Payload<Method> = Method extends (payload: infer P) => unknown ? P : never

type Reply<Method> = Method extends (payload: never) => Promise<infer A> ? A : never

type Message =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Reply"; readonly reply: unknown }
  | { readonly _tag: "Failed"; readonly detail: string }

/**
 * Starts a program under the options of this process, and waits until it is ready for questions.
 *
 * It answers one question at a time, and ends with the scope or with this process.
 */
export const start = Effect.fnUntraced(function*<Program extends Answers<Program>>(program: URL) {
  const path = fileURLToPath(program)
  const child = yield* Effect.acquireRelease(Effect.sync(() => fork(path, { serialization: "advanced" })), stop)
  yield* nextMessage(child, path, () => {})
  return <Name extends keyof Program & string>(name: Name, payload: Payload<Program[Name]>) =>
    // The program was written for the same type, by `answer`.
    nextMessage(child, path, () => child.send({ name, payload })) as Effect.Effect<Reply<Program[Name]>, ChildFailed>
})

/** What the process says after `send`. */
const nextMessage = (child: ChildProcess, path: string, send: () => void) =>
  Effect.callback<unknown, ChildFailed>((resume) => {
    const fail = (message: string) => resume(Effect.fail(new ChildFailed({ message: `${path}: ${message}` })))
    const onMessage = (message: Message) => {
      child.off("exit", onExit)
      if (message._tag === "Failed") fail(message.detail)
      else resume(Effect.succeed(message._tag === "Reply" ? message.reply : undefined))
    }
    const onExit = () => {
      child.off("message", onMessage)
      fail(`ended with ${child.signalCode ?? `code ${child.exitCode}`}`)
    }
    if (hasEnded(child)) return onExit()
    child.once("message", onMessage)
    child.once("exit", onExit)
    send()
  })

const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (hasEnded(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    if (child.connected) child.disconnect()
  })

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** Answers what `start` asks, in the process that it starts. */
export const answer = <Program extends Answers<Program>>(answers: Program): void => {
  const send = (message: Message) => process.send?.(message)
  process.on("message", ({ name, payload }: { readonly name: keyof Program; readonly payload: never }) => {
    answers[name](payload).then(
      (reply) => send({ _tag: "Reply", reply }),
      (cause) => send({ _tag: "Failed", detail: cause instanceof Error ? cause.stack ?? cause.message : String(cause) })
    )
  })
  process.on("disconnect", () => process.exit())
  send({ _tag: "Ready" })
}
