import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"

const hello = ["--deployment", Binary.hello]
const members = [
  "--deployment",
  fileURLToPath(new URL("../fixtures/cli/members/deployment.ts", import.meta.url))
]

const succeeds = Effect.fnUntraced(function*(args: ReadonlyArray<string>, cwd: string) {
  const ended = yield* Binary.run(args, { cwd })
  assert.strictEqual(ended.code, 0, ended.stdout + ended.stderr)
  return ended.stdout
})

interface Observed {
  readonly requests: number
  readonly millis: number
  readonly sequentialMillis: number
  readonly edges: ReadonlyArray<{ readonly from?: string; readonly to: string; readonly calls: number; millis: number }>
}

const observe = Effect.fnUntraced(function*(deployment: ReadonlyArray<string>, file: string, cwd: string) {
  const { observed } = JSON.parse(yield* succeeds(["graph", ...deployment, "--observed", file, "--json"], cwd))
  // The tests of the graph say that it is that.
  return observed as Observed
})

const edge = ({ edges }: Observed, from: string | undefined, to: string) =>
  edges.find((edge) => edge.from === from && edge.to === to) ?? assert.fail(`there is no edge to ${to}`)

/** A collector of OpenTelemetry that writes a line for each export, as those of others do. */
const collector = Effect.fnUntraced(function*(file: string) {
  const server = Http.createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => body += chunk)
    request.on("end", () => {
      if (request.url === "/v1/traces") Fs.appendFileSync(file, `${body}\n`)
      response.end("{}")
    })
  })
  return yield* Effect.acquireRelease(
    Effect.callback<string>((resume) =>
      void server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`))
      })
    ),
    () => Effect.sync(() => server.close())
  )
})

/** The servers of the two units, the one first that calls the other. */
const apart = Effect.fnUntraced(function*(env: Readonly<Record<string, string>>) {
  const greeter = yield* Binary.serve([...hello, "--unit", "greeter"], { env })
  const caller = yield* Binary.serve([...hello, "--unit", "hello"], { env: { ...env, GREETER_URL: greeter.url } })
  return [caller, greeter] as const
})

describe("chorale graph --observed", () => {
  it.live("shows what two members of 100 and 150 ms cost together, and would in sequence", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder()
      const duration = ["--duration", "1", "--warmup", "0.5"]
      const says = yield* succeeds(["bench", "Ensemble.together", ...members, ...duration, "--spans", "a.json"], cwd)
      assert.match(says, /requests took/)
      const observed = yield* observe(members, "a.json", cwd)
      const together = observed.millis / observed.requests
      const sequence = observed.sequentialMillis / observed.requests
      assert.isAtLeast(observed.requests, 1)
      assert.isTrue(together > 149 && together < 1500, `${together} ms together`)
      // What ran at the same time is the shorter member.
      assert.isTrue(sequence - together > 90 && sequence - together < 1000, `${sequence} ms in sequence`)
      const [slow, fast] = [edge(observed, "ensemble", "slow"), edge(observed, "ensemble", "fast")]
      assert.deepStrictEqual([slow.calls, fast.calls], [observed.requests, observed.requests])
      assert.isAbove(slow.millis / observed.millis, 0.5)
      assert.isBelow(fast.millis / observed.millis, 0.5)
      const drawn = yield* succeeds(["graph", ...members, "--observed", "a.json"], cwd)
      assert.match(drawn, /^└─> slow +\d+ +\d+ +\d+ % +0\.00$/m)
      assert.match(drawn, /^The largest part of it, \d+ %, is spent on ensemble -> slow\.$/m)
      const chart = yield* succeeds(["graph", ...members, "--observed", "a.json", "--format", "mermaid"], cwd)
      assert.match(chart, /2 -->\|"\d+ calls?, \d+ %"\| 1/)
    }))

  it.live.each(["apart", "processes"])(
    "takes the traces that units have sent to a collector, %s",
    (where) =>
      Effect.gen(function*() {
        const cwd = yield* Binary.folder()
        const file = Path.join(cwd, "traces.jsonl")
        const env = {
          OTEL_EXPORTER_OTLP_ENDPOINT: yield* collector(file),
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
        }
        const servers = where === "apart"
          ? yield* apart(env)
          : [yield* Binary.serve([...hello, "--placement", where], { env })] as const
        for (let call = 0; call < 3; call++) {
          yield* Binary.call(servers[0].url, "hello/Hello/hello", { name: "world", millis: 50 })
        }
        // What was not sent yet is sent when they end.
        for (const server of servers) {
          server.kill("SIGTERM")
          assert.strictEqual((yield* server.ended).code, 0)
        }
        const observed = yield* observe(hello, file, cwd)
        assert.strictEqual(observed.requests, 3)
        const { calls, millis } = edge(observed, "hello", "greeter")
        assert.strictEqual(calls, 3)
        assert.isTrue(millis / 3 > 49 && millis / 3 < 500, `${millis} ms`)
        assert.strictEqual(edge(observed, undefined, "hello").calls, 3)
      })
  )

  it.live("says in one line what is wrong with a file, and that of a server there are no spans to keep", () =>
    Effect.gen(function*() {
      const other = [{ id: "1", name: "GET", start: 0, end: 1, attributes: {} }]
      const cwd = yield* Binary.folder({
        "other.json": JSON.stringify({ format: "chorale-spans", spans: other }),
        "package.json": "{\"name\":\"app\"}",
        "chorale.yaml": "units: {}\n"
      })
      const refused: ReadonlyArray<readonly [says: string, args: ReadonlyArray<string>]> = [
        ["there is no file nothing.json that can be read", ["graph", ...hello, "--observed", "nothing.json"]],
        ["chorale.yaml is no JSON: Unexpected token", ["graph", ...hello, "--observed", "chorale.yaml"]],
        ["package.json has no spans: expected a file of", ["graph", ...hello, "--observed", "package.json"]],
        ["other.json has no call of a service of hello; its spans are GET", [
          "graph",
          ...hello,
          "--observed",
          "other.json"
        ]],
        ["--spans is for a deployment that runs in here: leave --url out", [
          "bench",
          "Hello.hello",
          "--spans",
          "a.json",
          "--url",
          "http://127.0.0.1:3000"
        ]]
      ]
      for (const [says, args] of refused) {
        const { code, stderr, stdout } = yield* Binary.run(args, { cwd })
        assert.strictEqual(code, 2)
        assert.isTrue(stderr.startsWith(`chorale: ${says}`), stderr)
        assert.strictEqual(stderr.trim().split("\n").length, 1)
        assert.strictEqual(stdout, "")
      }
    }))
})
