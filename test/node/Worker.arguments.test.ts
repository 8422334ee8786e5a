import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Program from "../fixtures/program.ts"

const program = fileURLToPath(new URL("../fixtures/workerProgram.ts", import.meta.url))

/** Runs a program with arguments for Node. */
const run = (args: ReadonlyArray<string>) =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--conditions=@chorale/source", ...args], { stdio: ["ignore", "pipe", "pipe"] })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    Program.ended
  )

describe("a replica of a program that was started with arguments for V8", () => {
  for (const way of ["idle-thread", "idle-process"]) {
    it.live(`is started as well: ${way}`, () =>
      Effect.gen(function*() {
        const { code, output } = yield* run(["--max-old-space-size=512", "--expose-gc", program, way])
        assert.strictEqual(code, 0, output)
        assert.match(output, /^\d+\n$/)
      }))
  }

  it.live("is a thread of a program that is a string, too", () =>
    Effect.gen(function*() {
      const text = `process.argv[2] = "idle-thread"; await import(${JSON.stringify(program)})`
      const { code, output } = yield* run(["--input-type=module", "--eval", text, "x"])
      assert.strictEqual(code, 0, output)
      assert.match(output, /^\d+\n$/)
    }))
})
