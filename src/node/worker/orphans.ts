/**
 * A process whose parent is killed must end, whatever it is doing.
 *
 * Where it waits for events it sees its channel close. Where it computes, it sees nothing: so Linux is asked to kill it
 * together with its parent, which costs nothing. Elsewhere a thread in it looks for its parent, at some 18 MB.
 */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { Worker } from "node:worker_threads"

/** How a process is started that ends with this one. */
export interface Command {
  /** What comes before the path of Node. */
  readonly prefix: ReadonlyArray<string>
  /** The process that it has to watch for itself. */
  readonly watches: number | undefined
}

/** With `setpriv` of util-linux where it is installed. The signal is kept when it executes Node, in the same process. */
export const command: Effect.Effect<Command> = Effect.callback((resume) => {
  const done = (path: string) => {
    resume(Effect.succeed(
      path === ""
        ? { prefix: [], watches: process.pid }
        : { prefix: [path, "--pdeathsig", "KILL", "--"], watches: undefined }
    ))
  }
  if (process.platform !== "linux") return done("")
  const ask = ["--pdeathsig", "KILL", "--", "sh", "-c", "command -v setpriv"]
  const child = execFile(
    "setpriv",
    ask,
    { timeout: 5000 },
    (error, stdout) => done(error === null ? stdout.trim() : "")
  )
  return Effect.sync(() => child.kill())
})

/** Kills this process when its parent is gone. A process that is killed is no other one that has its number. */
export const watch = (parent: number): void => {
  // Code instead of a file: a thread that has to load TypeScript or Effect costs much more.
  const code = `setInterval(() => { if (process.ppid !== ${parent}) process.kill(process.pid, "SIGKILL") }, 250)`
  new Worker(code, { eval: true, name: "orphan watch", execArgv: [] }).unref()
}
