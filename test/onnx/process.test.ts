import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Models from "../fixtures/onnx.ts"

const program = fileURLToPath(new URL("../fixtures/onnxProcess.ts", import.meta.url))

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
}

const node = (...args: ReadonlyArray<string>) =>
  Effect.callback<Ended>((resume) => {
    const child = spawn(process.execPath, ["--conditions=@chorale/source", ...args])
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
      if (args.includes("sigterm") && output.includes("running")) child.kill("SIGTERM")
    })
    child.stderr.on("data", (chunk) => output += chunk)
    child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, output })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const end = (way: string, path: string, delayMillis: number) => node(program, way, path, String(delayMillis))

const endings = (way: string, model = Models.spin(), delays = [0, 10, 25, 50, 100]) =>
  Effect.gen(function*() {
    const path = yield* Models.file(model)
    return yield* Effect.forEach(delays, (delay) => end(way, path, delay), { concurrency: 2 })
  })

describe("the process", () => {
  it.live("keeps the code of process.exit while a model runs", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("exit")) assert.strictEqual(code, 5, output)
    }))

  it.live("keeps the code of process.exit while a model loads", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("exit-loading", Models.slowToLoad(), [0, 100, 150, 200, 250])) {
        assert.strictEqual(code, 5, output)
      }
    }))

  it.live("keeps the code of process.exit while a model runs that was opened in a worker thread", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("exit-around-thread")) assert.strictEqual(code, 5, output)
    }))

  it.live("ends with code 1 after an uncaught error while a model runs", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("throw")) {
        assert.strictEqual(code, 1, output)
        assert.include(output, "thrown on purpose")
      }
    }))

  it.live("ends by SIGTERM while a model runs", () =>
    Effect.gen(function*() {
      for (const { output, signal } of yield* endings("sigterm")) assert.strictEqual(signal, "SIGTERM", output)
    }))

  it.live("ends on its own with code 0 when a session is open and idle", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("natural")) assert.strictEqual(code, 0, output)
    }))

  it.live("waits for a call that nobody waits for, and ends with code 0", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("forgotten")) assert.strictEqual(code, 0, output)
    }))

  it.live("closes a session with a call in flight after the answer, and ends with code 0", () =>
    Effect.gen(function*() {
      for (const { code, output } of yield* endings("close")) {
        assert.strictEqual(code, 0, output)
        assert.include(output, "closed Success")
      }
    }))

  it.live("may have read its program from a string", () =>
    Effect.gen(function*() {
      const path = yield* Models.file(Models.identity())
      const { code, output } = yield* node(
        "--input-type=module",
        "--eval",
        `import { Onnx } from "chorale/onnx"
         import { Effect } from "effect"
         const session = await Effect.runPromise(Effect.scoped(Onnx.session(${JSON.stringify(path)})))
         console.log(session.inputs[0].name)`
      )
      assert.strictEqual(output, "x\n")
      assert.strictEqual(code, 0)
    }))
})
