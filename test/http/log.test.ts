import { assert, describe, it } from "@effect/vitest"
import { Console, Effect } from "effect"
import * as AccessLog from "../../src/http/accessLog.ts"
import { postJson, send, serveVision } from "./surface.ts"

const entry: AccessLog.Entry = {
  time: new Date(0),
  method: "POST",
  path: "/a",
  status: 200,
  milliseconds: 1.23456,
  traceId: undefined
}

/** What a server writes with an access log of that kind while it is used. */
const linesOf = Effect.fnUntraced(function*(
  accessLog: AccessLog.Option,
  use: (url: string) => Effect.Effect<unknown>
) {
  const lines: Array<string> = []
  const current = yield* Console.Console
  const console: Console.Console = { ...current, log: (line: string) => void lines.push(line) }
  yield* Effect.gen(function*() {
    const { url } = yield* serveVision({ accessLog })
    yield* use(url)
  }).pipe(Effect.provideService(Console.Console, console))
  return lines
})

describe("the access log", () => {
  it.live("has one JSON object a line for each request, and nothing of its query, its headers or its bodies", () =>
    Effect.gen(function*() {
      const trace = "0af7651916cd43dd8448eb211c80319c"
      const lines = yield* linesOf("json", (url) =>
        Effect.andThen(
          postJson(`${url}/test/Vision/greet?secret=1`, { name: "secret" }, {
            authorization: "secret",
            traceparent: `00-${trace}-b7ad6b7169203331-01`
          }),
          send(`${url}/nowhere`)
        ))
      assert.strictEqual(lines.length, 2)
      const [call, unknown] = lines.map((line) => JSON.parse(line))
      assert.deepInclude(call, {
        level: "info",
        method: "POST",
        path: "/test/Vision/greet",
        status: 200,
        trace_id: trace
      })
      assert.isNumber(call.duration_ms)
      assert.strictEqual(unknown.status, 404)
      assert.notInclude(lines.join(), "secret")
    }))

  it.live("is off unless it is asked for", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* linesOf(false, (url) => send(`${url}/livez`)), [])
    }))

  it("is short lines for a terminal, which cannot give it orders", () => {
    assert.strictEqual(AccessLog.toLine(entry), "00:00:00.000 200 POST /a 1.2 ms")
    assert.notInclude(AccessLog.toLine({ ...entry, path: "/\u001b[2J" }), "\u001b")
    assert.isBelow(AccessLog.toLine({ ...entry, path: "/".repeat(10_000) }).length, 300)
    assert.isBelow(AccessLog.toJson({ ...entry, path: "/".repeat(10_000) }).length, 500)
  })
})
