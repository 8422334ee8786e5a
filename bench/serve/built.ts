/** The package as it is installed, and programs of it: what is compiled starts sooner than its source. */
import { Effect } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Builds the package into a folder of its own, with the programs of this folder beside it. */
export const build = Effect.gen(function*() {
  const path = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-bench-"))),
    (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
  )
  Fs.copyFileSync(Path.join(root, "package.json"), Path.join(path, "package.json"))
  Fs.symlinkSync(Path.join(root, "node_modules"), Path.join(path, "node_modules"))
  Fs.cpSync(fileURLToPath(new URL("./", import.meta.url)), path, { recursive: true })
  const compiler = Path.join(root, "node_modules/.bin/tsc")
  yield* Effect.callback<void>((resume) => {
    execFile(
      compiler,
      ["-p", Path.join(root, "tsconfig.build.json"), "--outDir", Path.join(path, "dist")],
      (error) => resume(error === null ? Effect.void : Effect.die(error))
    )
  })
  return path
})

/** A program of Node in a folder, without the conditions of this one; ended with the scope. */
export const start = (cwd: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, args, { cwd, stdio: "ignore" })),
    (child) => ended(child)
  )

const ended = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  })

/** Waits until a server says that it is ready. */
export const untilReady = (port: number): Effect.Effect<void> =>
  Effect.promise(() => fetch(`http://127.0.0.1:${port}/readyz`).then(({ status }) => status === 200, () => false)).pipe(
    Effect.flatMap((ready) => ready ? Effect.void : Effect.delay(untilReady(port), 2))
  )

/** A port that was free a moment ago. */
export const freePort = Effect.callback<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** The memory of a process in MB; `Pss` divides what it shares with others by how many share it. */
export const memoryOf = (pid: number, which: "Rss" | "Pss"): number =>
  Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, "m").exec(Fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) /
  1000

/** The processes that a process has started. */
export const childrenOf = (pid: number): ReadonlyArray<number> =>
  Fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter((id) => id !== "").map(Number)
