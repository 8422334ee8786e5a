/** `chorale serve --watch`: the same without it, started again when a file that it imports changes. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { Stopping } from "../Stopping.ts"

/** Ends when it is interrupted. */
export const watch = Effect.gen(function*() {
  const stopping = yield* Stopping
  stopping.exitCode = 0
  const [script = "", ...args] = process.argv.slice(1)
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [
        ...process.execArgv,
        "--watch",
        "--watch-preserve-output",
        script,
        ...args.filter((argument) => argument !== "--watch")
      ], { stdio: "inherit" })
    ),
    (child) => ended(child, () => child.kill("SIGTERM"))
  )
  yield* ended(child, () => undefined)
}).pipe(Effect.scoped)

const ended = (child: ReturnType<typeof spawn>, begin: () => void): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.once("exit", done)
    begin()
    return Effect.sync(() => child.off("exit", done))
  })
