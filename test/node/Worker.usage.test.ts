/** How much of the processor threads and processes say that they use. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import * as Usage from "../../src/node/worker/usage.ts"

const usage = new URL("../../src/node/worker/usage.ts", import.meta.url)

/** Computes for 200 milliseconds of each 400, and answers between. */
const program = (answers: string) =>
  `${answers}
setInterval(() => { const end = performance.now() + 200; while (performance.now() < end); }, 400)`

const startProcess = Effect.acquireRelease(
  Effect.sync(() =>
    spawn(process.execPath, [
      "--conditions=@chorale/source",
      "--input-type=module",
      "--eval",
      program(`import { answer } from ${JSON.stringify(usage.href)}; answer()`)
    ], { stdio: ["ignore", "ignore", "inherit", "ipc"], cwd: fileURLToPath(new URL("../../", import.meta.url)) })
  ),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

const startThread = Effect.acquireRelease(
  Effect.sync(() => new Worker(program(""), { eval: true, execArgv: [] })),
  (worker) => Effect.promise(() => worker.terminate())
)

/** Asks until it has used so much more: a test that never sees it runs out of time. */
const grows = Effect.fnUntraced(function*(cpuMillis: Effect.Effect<number | undefined>) {
  const known = Effect.repeat(cpuMillis, { until: (millis) => millis !== undefined })
  const begun = performance.now()
  const first = (yield* known) ?? 0
  const later = (yield* Effect.repeat(Effect.delay(known, "50 millis"), {
    until: (millis = 0) => millis >= first + 500
  })) ?? 0
  // No thread uses more than a core, besides what it has started with and what the operating system rounds.
  assert.isBelow(later - first, performance.now() - begun + 1000)
})

describe("the usage of a replica", () => {
  it.live("is that of a process, from outside and as it says itself", () =>
    Effect.gen(function*() {
      const child = yield* startProcess
      yield* grows(Usage.ofProcess(child))
      yield* grows(Usage.asked(child))
      const [outside = 0, own = 0] = yield* Effect.all([Usage.ofProcess(child), Usage.asked(child)])
      assert.isBelow(Math.abs(outside - own), 1000)
    }))

  it.live("is that of a thread, as far as this Node says it", () =>
    Effect.gen(function*() {
      assert.isTrue(Usage.isKnownOfThreads)
      yield* grows(Usage.ofThread(yield* startThread))
    }))

  it.live("is not known when it has ended", () =>
    Effect.gen(function*() {
      const child = yield* startProcess
      const worker = yield* startThread
      yield* Effect.callback<void>((resume) => {
        child.on("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
      yield* Effect.promise(() => worker.terminate())
      assert.deepStrictEqual(yield* Effect.all([Usage.ofProcess(child), Usage.ofThread(worker)]), [
        undefined,
        undefined
      ])
    }))

  it("is read behind the name of the program, whatever that is", () => {
    const fields = "S 1 7 7 0 -1 4194560 1 0 0 0 12 3 0 0 20 0 11 0 5 6 7"
    assert.strictEqual(Usage.parseStat(`7 (node) ${fields}`), 150)
    assert.strictEqual(Usage.parseStat(`7 (a) b (c) 1) ${fields}`), 150)
    assert.isUndefined(Usage.parseStat(""))
  })
})
