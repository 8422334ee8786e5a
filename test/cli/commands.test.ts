import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs/promises"
import * as Binary from "../fixtures/cli/binary.ts"

const hello = ["--deployment", Binary.hello]

const succeeds = Effect.fnUntraced(function*(args: ReadonlyArray<string>, options?: Binary.Options) {
  const ended = yield* Binary.run(args, options)
  assert.strictEqual(ended.code, 0, ended.stdout + ended.stderr)
  return ended.stdout
})

const json = (args: ReadonlyArray<string>, options?: Binary.Options) =>
  Effect.map(succeeds(args, options), (text): unknown => JSON.parse(text))

describe("chorale graph", () => {
  it.live.each<readonly [format: string, has: ReadonlyArray<string>]>([
    ["text", ["hello        hello/Hello, 1 replica, exposed", "└─> greeter  hello/Greeter, 2 replicas"]],
    ["mermaid", ["flowchart", "hello/Greeter"]],
    ["dot", ["digraph \"hello\"", "hello/Greeter"]]
  ])("draws what calls what as %s", ([format, has]) =>
    Effect.gen(function*() {
      const text = yield* succeeds(["graph", ...hello, "--format", format])
      for (const part of has) assert.include(text, part)
    }))

  it.live("says it in JSON", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* json(["graph", ...hello, "--json"]), { edges: [{ from: "hello", to: "greeter" }] })
    }))
})

describe("chorale plan", () => {
  it.live("says what runs where, as the configuration and its profile have it", () =>
    Effect.gen(function*() {
      const yaml =
        "units:\n  greeter: { replicas: 3 }\nprofiles:\n  apart:\n    units:\n      greeter: { placement: processes }\n"
      const cwd = yield* Binary.folder({ "chorale.yaml": yaml })
      assert.match(yield* succeeds(["plan", ...hello, "--profile", "apart"], { cwd }), /^greeter {2,}processes {2,}3 /m)
      const planned = yield* json(["plan", ...hello, "--json"], { cwd })
      assert.nestedPropertyVal(planned, "units[0].replicas", 3)
      assert.nestedPropertyVal(planned, "units[0].placement", "local")
    }))
})

describe("chorale call", () => {
  it.live("prints the answer of the deployment in here", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* succeeds(["call", "Hello.hello", "{\"name\":\"you all\"}", ...hello]),
        "\"hello you all\"\n"
      )
    }))

  it.live("prints the items of a stream", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* succeeds(["call", "hello/Hello.count", "{\"to\":3}", ...hello]), "1\n2\n3\n")
    }))

  it.live("prints the items of a stream up to its error", () =>
    Effect.gen(function*() {
      const ended = yield* Binary.run(["call", "Hello.count", "{\"to\":10}", ...hello])
      assert.strictEqual(ended.code, 1)
      assert.strictEqual(ended.stdout, "1\n2\n3\n")
      assert.include(ended.stderr, "chorale: hello/Hello.count: {\"_tag\":\"Impolite\"")
    }))

  it.live("takes the payload from a file, and calls a server", () =>
    Effect.gen(function*() {
      const { url } = yield* Binary.serve(hello)
      const cwd = yield* Binary.folder({ "payload.json": "{\"name\":\"file\"}" })
      assert.deepStrictEqual(yield* json(["call", "Hello.hello", "@payload.json", "--url", url], { cwd }), "hello file")
      const wrong = yield* Binary.run(["call", "Greeter.greet", "--url", url])
      assert.strictEqual(wrong.code, 2)
      assert.include(wrong.stderr, "there is no method Greeter.greet; there are hello/Hello.hello, ")
    }))

  it.live("fails with a declared error, and tells a payload that does not fit", () =>
    Effect.gen(function*() {
      const refused = yield* Binary.run(["call", "Hello.hello", "{\"name\":\"you\"}", ...hello])
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "answered 422: {\"_tag\":\"Impolite\"")
      const wrong = yield* Binary.run(["call", "Hello.hello", "{\"nam\":\"you\"}", ...hello])
      assert.strictEqual(wrong.code, 2)
      assert.include(wrong.stderr, "hello/Hello.hello: the payload does not fit the contract: Missing key")
    }))

  it.live("says that nothing answers at an address", () =>
    Effect.gen(function*() {
      for (const command of ["call", "bench"]) {
        const url = `http://127.0.0.1:${yield* Binary.closedPort}`
        const ended = yield* Binary.run([command, "Hello.hello", "--url", url])
        assert.strictEqual(ended.code, 4)
        assert.match(ended.stderr, /^chorale: nothing answers at http:\/\/127\.0\.0\.1:\d+: .*\n$/)
      }
    }))
})

describe("chorale bench", () => {
  const short = ["--duration", "0.5", "--warmup", "0.1"]

  it.live("says how long calls took and on which edge, over processes too", () =>
    Effect.gen(function*() {
      const args = ["bench", "Hello.hello", "{\"name\":\"x\",\"millis\":20}", ...hello, ...short]
      const measured = yield* json([...args, "--concurrency", "2", "--placement", "processes", "--json"])
      assert.containsAllKeys(measured, ["p50", "p99", "max", "callsPerSecond"])
      assert.hasAllKeys(Reflect.get(Object(measured), "outcomes"), ["ok"])
      assert.nestedProperty(measured, "criticalPath.edges[0]")
      const { criticalPath: { edges, requests }, calls } = Object(measured)
      assert.strictEqual(requests, calls)
      const [{ callee, caller }] = edges
      assert.deepStrictEqual({ callee, caller }, { caller: "hello/Hello.hello", callee: "hello/Greeter.greet" })
    }))

  it.live("calls at a rate, and counts the wait for a slow server as latency", () =>
    Effect.gen(function*() {
      const payload = "{\"name\":\"x\",\"millis\":100}"
      const args = ["bench", "Hello.hello", payload, ...hello, ...short, "--rate", "20", "--concurrency", "1", "--json"]
      const { calls, max } = Object(yield* json(args))
      assert.strictEqual(calls, 10)
      // Ten calls of 100 ms one after another, of which the last was due after 450 ms.
      assert.isAbove(max, 500)
    }))

  it.live("draws a histogram of a server, and fails where no call succeeds", () =>
    Effect.gen(function*() {
      const { url } = yield* Binary.serve(hello)
      assert.match(yield* succeeds(["bench", "Hello.hello", "{\"name\":\"x\"}", "--url", url, ...short]), /ms +\d+ █/)
      const ended = yield* Binary.run(["bench", "Hello.hello", "{\"name\":\"you\"}", "--url", url, ...short])
      assert.strictEqual(ended.code, 1)
      assert.match(ended.stdout, /Impolite \d+/)
    }))
})

describe("chorale generate", () => {
  it.live.each<readonly [what: string, file: string]>([
    ["compose", "compose.yaml"],
    ["kubernetes", "kubernetes/kustomization.yaml"],
    ["kserve", "kserve/kustomization.yaml"],
    ["dockerfile", "Dockerfile"],
    ["openapi", "openapi.json"],
    ["schema", "chorale.schema.json"]
  ])("writes %s", ([what, file]) =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder()
      const args = what === "schema" ? [] : hello
      assert.include(yield* succeeds(["generate", what, ...args, "--out", "made"], { cwd }), `made/${file}\n`)
      const content = yield* Effect.promise(() => Fs.readFile(`${cwd}/made/${file}`, "utf8"))
      assert.isNotEmpty(content)
      if (file.endsWith(".json")) JSON.parse(content)
    }))

  it.live.each(["compose", "kubernetes", "kserve", "dockerfile"])(
    "has units started with the deployment, the configuration and the profile that it was told, %s",
    (what) =>
      Effect.gen(function*() {
        const yaml = "profiles:\n  apart: { units: { greeter: { traffic: { concurrency: 1 } } } }\n"
        const cwd = yield* Binary.folder({ "run/app.yaml": yaml })
        const args = ["generate", what, ...hello, "--config", "run/app.yaml", "--profile", "apart"]
        const words = (yield* succeeds(args, { cwd })).replaceAll(/[\s,"[\]-]+/g, " ")
        assert.include(words, "chorale serve deployment ")
        assert.include(words, "hello/deployment.ts config run/app.yaml profile apart ")
      })
  )

  it.live("prints where no folder is named", () =>
    Effect.gen(function*() {
      assert.nestedPropertyVal(yield* json(["generate", "openapi", ...hello]), "info.title", "hello")
      assert.include(
        yield* succeeds(["generate", "compose", ...hello, "--image", "registry/hello:1"]),
        "image: registry/hello:1"
      )
    }))
})

describe("chorale doctor", () => {
  it.live("looks at Node, the processor, ONNX Runtime, GPUs and the port", () =>
    Effect.gen(function*() {
      const port = String(yield* Binary.closedPort)
      const findings = yield* json(["doctor", "--json", "--port", port])
      const names = Array.isArray(findings) ? findings.map(({ name }) => name) : []
      assert.deepStrictEqual(names, ["Node", "CPU", "memory", "ONNX Runtime", "bundler", "GPU", `port ${port}`])
    }))

  it.live("says of a Node that it runs no TypeScript", () =>
    Effect.gen(function*() {
      const port = String(yield* Binary.closedPort)
      assert.match(yield* succeeds(["doctor", "--port", port]), /^✓ Node +\d+\.\d+\.\d+$/m)
      const program = "Object.defineProperty(process.features,'typescript',{value:false})"
      const env = { NODE_OPTIONS: `--import=data:text/javascript,${program}` }
      assert.match(
        yield* succeeds(["doctor", "--port", port], { env }),
        /^· Node +\d+\.\d+\.\d+\n {2}It runs no TypeScript: install Node 24, or give/m
      )
    }))

  it.live("fails where the port is in use", () =>
    Effect.gen(function*() {
      const { url } = yield* Binary.serve(hello)
      const ended = yield* Binary.run(["doctor", "--port", new URL(url).port])
      assert.strictEqual(ended.code, 1)
      assert.match(ended.stdout, /^✗ port \d+ +something listens there$/m)
    }))
})
