import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"

const broken = (name: string) => fileURLToPath(new URL(`../fixtures/cli/broken/${name}.ts`, import.meta.url))
const hello = ["--deployment", Binary.hello]

const oneLine = (text: string) => text.trim().split("\n").filter((line) => !line.startsWith("Try: "))

describe("chorale that is used wrongly", () => {
  it.live.each<readonly [code: number, says: string, args: ReadonlyArray<string>]>([
    [2, "Did you mean this? serve", ["sevre"]],
    [2, "Unrecognized flag: --prot in command chorale serve Did you mean this? --port", [
      "serve",
      ...hello,
      "--prot",
      "1"
    ]],
    [2, "Expected a port from 0 to 65535, got: 65536", ["serve", ...hello, "--port", "65536"]],
    [2, "\"thread\"", ["serve", ...hello, "--placement", "thread"]],
    [2, "hello has no unit greter; it has greeter, hello", ["serve", ...hello, "--unit", "greter"]],
    [2, "Expected: \"text\" | \"mermaid\" | \"dot\" | \"json\"", ["graph", ...hello, "--format", "png"]],
    [2, "there is no method Hello.helo; did you mean Hello.hello?", ["call", "Hello.helo", ...hello]],
    [2, "the payload is no JSON", ["call", "Hello.hello", "{name}", ...hello]],
    [2, "there is no file nothing.json that can be read", ["call", "Hello.hello", "@nothing.json", ...hello]],
    [2, "--url must be such as http://127.0.0.1:3000", ["call", "Hello.hello", "--url", "127.0.0.1:1"]],
    [2, "Expected more than 0, got: 0", ["bench", "Hello.hello", ...hello, "--duration", "0"]],
    [2, "Missing required argument", ["call"]],
    [3, "there is no file nowhere.ts", ["plan", "--deployment", "nowhere.ts"]],
    [3, "has a default export that is no deployment", ["plan", "--deployment", broken("nothing")]],
    [3, "has no default export", ["graph", "--deployment", broken("named")]],
    [3, "could not be loaded: this module cannot be loaded", ["graph", "--deployment", broken("throws")]],
    [3, "hidden exposes no unit; give one of them expose: true", ["serve", "--deployment", broken("hidden")]],
    [3, "there is no file nowhere.yaml that can be read", ["plan", ...hello, "--config", "nowhere.yaml"]],
    [3, "and so no profile production", ["plan", ...hello, "--profile", "production"]],
    [3, "this machine has too little cpu", ["serve", "--deployment", broken("large")]]
  ])("ends with %i and says in one line %s", ([code, says, args]) =>
    Effect.gen(function*() {
      const ended = yield* Binary.run(args)
      assert.strictEqual(ended.code, code, ended.stdout + ended.stderr)
      const [line = "", ...more] = oneLine(ended.stderr)
      assert.include(line, says)
      assert.match(line, /^chorale: /)
      assert.deepStrictEqual(more, [])
      assert.strictEqual(ended.stdout, "")
    }))

  it.live("names all that is wrong with a deployment before anything of it runs", () =>
    Effect.gen(function*() {
      const ended = yield* Binary.run(["serve", "--deployment", broken("cycle")])
      assert.strictEqual(ended.code, 3)
      assert.include(ended.stderr, "units need each other")
    }))

  it.live("names file, line, column and the nearest right key of what is wrong in chorale.yaml", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder({ "chorale.yaml": "units:\n  greeter:\n    replica: 2\n  helo: {}\n" })
      const ended = yield* Binary.run(["plan", ...hello], { cwd })
      assert.strictEqual(ended.code, 3)
      assert.include(
        ended.stderr,
        "chorale.yaml:3:5 units.greeter.replica: there is no such key. Did you mean replicas?"
      )
      assert.include(ended.stderr, "chorale.yaml:4:3 units.helo: the deployment has no such unit. Did you mean hello?")
    }))

  it.live("looks for deployment.ts where it is run", () =>
    Effect.gen(function*() {
      const ended = yield* Binary.run(["graph"], { cwd: yield* Binary.folder() })
      assert.strictEqual(ended.code, 3)
      assert.include(ended.stderr, "there is no deployment.ts, deployment.js, deployment.mjs in /")
    }))
})
