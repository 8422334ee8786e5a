import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs/promises"
import * as Http from "node:http"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"

const hello = ["--deployment", Binary.hello]
const broken = fileURLToPath(new URL("../fixtures/cli/broken/deployment.ts", import.meta.url))

interface Where {
  readonly hello: number
  readonly greeter: number
}

/** The processes that answer. */
const where = (url: string) =>
  // The contract says that it is that.
  Effect.map(Binary.call(url, "hello/Hello/where"), ({ body }) => body as Where)

const greets = Effect.fnUntraced(function*(url: string) {
  assert.deepStrictEqual(yield* Binary.call(url, "hello/Hello/hello", { name: "world" }), {
    status: 200,
    body: "hello world"
  })
  const refused = yield* Binary.call(url, "hello/Hello/hello", { name: "you" })
  assert.deepStrictEqual(refused, { status: 422, body: { _tag: "Impolite", error: "you", name: "you" } })
  assert.strictEqual((yield* Effect.promise(() => fetch(`${url}/readyz`))).status, 200)
  assert.strictEqual((yield* Binary.call(url, "hello/Greeter/where")).status, 404)
})

/** A port on which something listens. */
const takenPort = Effect.gen(function*() {
  const server = Http.createServer()
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )
  const address = server.address()
  return String(typeof address === "object" ? address?.port : "")
})

describe("chorale serve", () => {
  it.live("answers from one process, and only for what is exposed", () =>
    Effect.gen(function*() {
      const { pid, url } = yield* Binary.serve(hello)
      yield* greets(url)
      assert.deepStrictEqual(yield* where(url), { hello: pid, greeter: pid })
      assert.deepStrictEqual(Binary.descendants(pid), [])
    }))

  it.live("answers from threads", () =>
    Effect.gen(function*() {
      const { url } = yield* Binary.serve([...hello, "--placement", "threads"])
      yield* greets(url)
    }))

  it.live("answers from processes, one for each replica of each unit, over which calls are spread", () =>
    Effect.gen(function*() {
      const { pid, url } = yield* Binary.serve([...hello, "--placement", "processes"])
      yield* greets(url)
      const all = yield* Effect.forEach(Array.from({ length: 30 }), () => where(url))
      assert.strictEqual(new Set(all.map(({ hello }) => hello)).size, 1)
      assert.strictEqual(new Set(all.map(({ greeter }) => greeter)).size, 2)
      assert.strictEqual(Binary.descendants(pid).length, 3)
    }))

  it.live("serves units apart from each other, which find each other by their addresses", () =>
    Effect.gen(function*() {
      const greeter = yield* Binary.serve([...hello, "--unit", "greeter"])
      const env = { GREETER_URL: greeter.url }
      const { pid, url } = yield* Binary.serve([...hello, "--unit", "hello"], { env })
      yield* greets(url)
      assert.deepStrictEqual(yield* where(url), { hello: pid, greeter: greeter.pid })
    }))

  it.live("takes the address of a unit from the configuration", () =>
    Effect.gen(function*() {
      const greeter = yield* Binary.serve([...hello, "--unit", "greeter"])
      const cwd = yield* Binary.folder({ "chorale.yaml": `units:\n  greeter: { url: "${greeter.url}" }\n` })
      const apart = yield* Binary.serve([...hello, "--unit", "hello"], { cwd })
      assert.deepStrictEqual(yield* where(apart.url), { hello: apart.pid, greeter: greeter.pid })
      const whole = yield* Binary.serve([...hello, "--placement", "processes"], { cwd })
      assert.strictEqual((yield* where(whole.url)).greeter, greeter.pid)
    }))

  it.live("says which address is missing when a unit is served apart", () =>
    Effect.gen(function*() {
      const ended = yield* Binary.run(["serve", ...hello, "--unit", "hello"])
      assert.strictEqual(ended.code, 3)
      assert.include(ended.stderr, "Set GREETER_URL to its address")
    }))

  it.live("gives a unit in a process its environment", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder({ "chorale.yaml": "units:\n  greeter: { env: { GREETING: good evening } }\n" })
      const { url } = yield* Binary.serve([...hello, "--placement", "processes"], { cwd })
      const { body } = yield* Binary.call(url, "hello/Hello/hello", { name: "world" })
      assert.strictEqual(body, "good evening world")
    }))

  it.live("asks for the token that the environment has", () =>
    Effect.gen(function*() {
      const { url } = yield* Binary.serve(hello, { env: { CHORALE_TOKEN: "secret" } })
      assert.strictEqual((yield* Binary.call(url, "hello/Hello/hello", { name: "world" })).status, 401)
      const args = ["call", "Hello.hello", "{\"name\":\"world\"}", "--url", url]
      assert.strictEqual((yield* Binary.run(args, { env: { CHORALE_TOKEN: "secret" } })).stdout, "\"hello world\"\n")
    }))

  it.live("names the port that is in use with all else that is wrong, in one report", () =>
    Effect.gen(function*() {
      const port = yield* takenPort
      const yaml = "units:\n  greeter: { resources: { cpu: 100000 } }\n  hello: { secrets: [NOBODY_HAS_IT] }\n"
      const cwd = yield* Binary.folder({ "chorale.yaml": yaml })
      const ended = yield* Binary.run(["serve", ...hello, "--port", port], { cwd })
      assert.strictEqual(ended.code, 3)
      const [heading, ...lines] = ended.stderr.trim().split("\n")
      assert.strictEqual(heading, "chorale: the deployment hello has 3 problems:")
      assert.deepStrictEqual(lines.map((line) => line.split(":").slice(0, 2).join(":")), [
        "  units.hello.secrets: the environment has no NOBODY_HAS_IT. Set it before you start.",
        "  units: they ask for more cpu than this machine has",
        "  --port: cannot listen on 127.0.0.1"
      ])
    }))

  it.live("says before anything is loaded that its port is in use", () =>
    Effect.gen(function*() {
      const port = yield* takenPort
      const ended = yield* Binary.run(["serve", "--deployment", broken, "--placement", "processes", "--port", port])
      assert.strictEqual(ended.code, 4)
      const says =
        `chorale: cannot listen on 127.0.0.1:${port}: something listens there already; choose another with --port\n`
      assert.strictEqual(ended.stderr, says)
    }))

  it.live("ends with the last lines of a replica that does not become ready", () =>
    Effect.gen(function*() {
      const args = ["--deployment", broken, "--placement", "processes", "--start-timeout", "2"]
      const ended = yield* Binary.run(["serve", "--port", "0", ...args])
      assert.strictEqual(ended.code, 1)
      assert.match(ended.stderr, /^chorale: the unit greeter did not start: .* was not ready in time: it had 2000 ms$/m)
      assert.include(ended.stderr, "the weights are not where they should be\n  still looking for the weights")
    }))

  it.live("changes replicas and traffic when it is told to read its configuration again", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder({ "chorale.yaml": "units: {}\n" })
      const running = yield* Binary.serve([...hello, "--placement", "processes"], { cwd })
      const reload = Effect.fnUntraced(function*(yaml: string, says: string) {
        yield* Effect.promise(() => Fs.writeFile(`${cwd}/chorale.yaml`, yaml))
        running.kill("SIGHUP")
        yield* running.line(says)
      })
      const changed =
        "units:\n  greeter: { replicas: 3, placement: threads }\n  hello: { traffic: { concurrency: 1 } }\n"
      yield* reload(changed, "changed: greeter.replicas, hello.traffic")
      const both = yield* Effect.all(
        [
          Binary.call(running.url, "hello/Hello/hello", { name: "a", millis: 500 }),
          Binary.call(running.url, "hello/Hello/hello", { name: "b", millis: 500 })
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(both.map(({ status }) => status).toSorted(), [200, 429])
      yield* Effect.eventually(Effect.suspend(() =>
        Effect.andThen(
          Effect.sleep(20),
          Binary.descendants(running.pid).length === 4 ? Effect.void : Effect.fail("not yet")
        )
      ))
      yield* reload("units:\n  greeter: { replica: 3 }\n", "nothing was changed")
      assert.strictEqual((yield* Binary.call(running.url, "hello/Hello/hello", { name: "a" })).status, 200)
      yield* reload("units:\n  greeter: { resources: { cpu: 0.1 } }\n", "these change when it is started again")
    }))
})
