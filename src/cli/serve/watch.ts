/** `chorale serve --watch`: the same without it, started again when a file that it imports or its configuration changes. */
import { Console, Effect, Option } from "effect"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Stopping } from "../Stopping.ts"

/** Ends when it is interrupted. */
export const watch = Effect.fnUntraced(function*({ config }: { readonly config: Option.Option<string> }) {
  const stopping = yield* Stopping
  stopping.exitCode = 0
  const file = Path.resolve(Option.getOrElse(config, () => "chorale.yaml"))
  yield* Effect.repeat(runUntilChange(file), { while: (hasChanged) => hasChanged })
})

/** Node looks at what is imported. Whether it ended because the file has changed. */
const runUntilChange = Effect.fnUntraced(function*(file: string) {
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
  const changed = Effect.andThen(change(file), Console.log(`${Path.relative("", file)} has changed`))
  return yield* Effect.raceFirst(Effect.as(ended(child, () => undefined), false), Effect.as(changed, true))
}, Effect.scoped)

const ended = (child: ReturnType<typeof spawn>, begin: () => void): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.once("exit", done)
    begin()
    return Effect.sync(() => child.off("exit", done))
  })

/** Succeeds when the text of a file is another one; there may be no such file. */
const change = (file: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const before = textOf(file)
    // An editor may write a new file in place of the old one: so it is its folder that is watched.
    const watcher = Fs.watch(Path.dirname(file), () => {
      if (textOf(file) !== before) resume(Effect.void)
    })
    watcher.on("error", () => undefined)
    return Effect.sync(() => watcher.close())
  })

const textOf = (file: string): string | undefined => {
  try {
    return Fs.readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}
