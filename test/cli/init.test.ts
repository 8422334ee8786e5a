import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"
import { linkModules } from "../fixtures/cli/modules.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A project with the dependencies that it would install. */
const project = Effect.gen(function*() {
  const parent = yield* Binary.folder()
  const made = yield* Binary.run(["init", "My App"], { cwd: parent })
  assert.strictEqual(made.code, 0, made.stderr)
  assert.isTrue(made.stdout.endsWith("Next: cd 'My App' && npm install && npm test && npm start\n"), made.stdout)
  const path = Path.join(parent, "My App")
  linkModules(path)
  return path
})

const tool = (name: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.callback<{ readonly code: number | null; readonly output: string }>((resume) => {
    const child = spawn(Path.join(root, "node_modules/.bin", name), args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk) => output += chunk)
    child.stderr.on("data", (chunk) => output += chunk)
    child.on("close", (code) => resume(Effect.succeed({ code, output })))
    return Effect.sync(() => child.kill())
  })

describe("chorale init", () => {
  it.live("makes a project that compiles, passes its tests and serves", () =>
    Effect.gen(function*() {
      const cwd = yield* project
      const compiled = yield* tool("tsc", ["--noEmit", "--customConditions", "@chorale/source"], cwd)
      assert.strictEqual(compiled.code, 0, compiled.output)
      const tested = yield* tool("vitest", ["run", "--root", cwd, "--config", Path.join(root, "vitest.config.ts")], cwd)
      assert.strictEqual(tested.code, 0, tested.output)
      const { url } = yield* Binary.serve([], { cwd })
      const { body } = yield* Binary.call(url, "my-app/Moderation/review", { text: "what a good day" })
      assert.deepStrictEqual(body, { publish: true, score: 1 })
    }), 120_000)

  it.live("overwrites nothing", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder({ "package.json": "{}" })
      const ended = yield* Binary.run(["init"], { cwd })
      assert.strictEqual(ended.code, 1)
      assert.strictEqual(ended.stderr, "chorale: package.json would be overwritten; nothing was made\n")
      assert.deepStrictEqual(yield* Binary.filesIn(cwd), ["package.json"])
    }))
})
