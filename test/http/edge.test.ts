import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Redacted } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Zlib from "node:zlib"
import { jsonOf, post, postJson, send, serveVision } from "./surface.ts"

describe("a server with a token", () => {
  const token = Redacted.make("sesame")

  it.live("asks for it on every route but those of its health, also on routes of others", () =>
    Effect.gen(function*() {
      const other = HttpRouter.add("GET", "/other", HttpServerResponse.text("other"))
      const { url } = yield* serveVision({ token }, {}, other)
      for (const path of ["/livez", "/readyz"]) assert.strictEqual((yield* send(url + path)).status, 200)
      for (
        const path of [
          "/metrics",
          "/docs",
          "/openapi.json",
          "/other",
          "/nowhere",
          "//livez/../docs",
          "/livez/",
          "/%6civez"
        ]
      ) {
        const refused = yield* send(url + path)
        assert.strictEqual(refused.status, 401, path)
        assert.strictEqual(refused.headers.get("www-authenticate"), "Bearer")
        assert.strictEqual(jsonOf(refused)._tag, "Unauthorized")
      }
      assert.strictEqual((yield* postJson(`${url}/test/Vision/greet`, { name: "x" })).status, 401)
      assert.strictEqual((yield* postJson(`${url}/rpc`, {})).status, 401)
      const authorization = "Bearer sesame"
      assert.strictEqual((yield* send(`${url}/other`, { headers: { authorization } })).text, "other")
      assert.strictEqual((yield* postJson(`${url}/test/Vision/greet`, { name: "x" }, { authorization })).status, 200)
    }))

  it.live("takes nothing that is not the token", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ token })
      for (const wrong of ["", "sesam", "sesamee", "sesamesesame", "Sesame", "sesame ", "seſame"]) {
        const authorization = `Bearer ${encodeURI(wrong)}`
        const answer = yield* postJson(`${url}/test/Vision/greet`, { name: "x" }, { authorization })
        assert.strictEqual(answer.status, 401, JSON.stringify(wrong))
      }
      assert.strictEqual(
        (yield* postJson(`${url}/test/Vision/greet`, { name: "x" }, { authorization: "Basic sesame" })).status,
        401
      )
    }))

  it("is not made with an empty one", () => {
    assert.throws(() => Effect.runSync(Effect.scoped(serveVision({ token: Redacted.make("") }))))
  })
})

describe("the deadline of a request", () => {
  it.live("is what its header gives, or the limit of the server where it gives none", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ timeout: "5 seconds" })
      const remaining = (headers: Readonly<Record<string, string>>) =>
        Effect.map(postJson(`${url}/test/Vision/remaining`, {}, headers), (answer) => Number(answer.text))
      const none = yield* remaining({})
      assert.isTrue(none > 3000 && none <= 5000, String(none))
      const own = yield* remaining({ "chorale-deadline": "900.5" })
      assert.isTrue(own > 100 && own <= 901, String(own))
      const mesh = yield* remaining({ "x-envoy-expected-rq-timeout-ms": "800" })
      assert.isTrue(mesh > 100 && mesh <= 800, String(mesh))
    }))

  it.live("interrupts the call and answers 504 when it is over", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision()
      const answer = yield* postJson(`${url}/test/Vision/wait`, {}, { "chorale-deadline": "50" })
      assert.strictEqual(answer.status, 504)
      assert.strictEqual(jsonOf(answer)._tag, "DeadlineExceeded")
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("is refused where it is no number of milliseconds", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      for (const header of ["soon", "-1", "1e3", "NaN", "9".repeat(20)]) {
        const answer = yield* postJson(`${url}/test/Vision/nothing`, {}, { "chorale-deadline": header })
        assert.strictEqual(answer.status, 400, header)
        assert.include(jsonOf(answer).error, "chorale-deadline")
      }
    }))
})

describe("the limit of calls", () => {
  it.live("refuses what comes beyond with 429 and retry-after, and lets health and pages through", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision({ concurrency: 1 })
      yield* Effect.forkScoped(postJson(`${url}/test/Vision/wait`, {}))
      yield* Deferred.await(waiting.started)
      const refused = yield* postJson(`${url}/test/Vision/greet`, { name: "x" })
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "1")
      for (const path of ["/livez", "/readyz", "/metrics"]) {
        assert.strictEqual((yield* send(url + path)).status, 200, path)
      }
    }))

  it.live("gives the place back when a call ends, however it ends", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision({ concurrency: 1 })
      const ok = () => postJson(`${url}/test/Vision/greet`, { name: "x" })
      yield* postJson(`${url}/test/Vision/refuse`, { reason: "defect" })
      yield* postJson(`${url}/test/Vision/fail`, { reason: "empty" })
      yield* postJson(`${url}/test/Vision/count`, { to: 3 })
      yield* postJson(`${url}/test/Vision/shed`, {})
      yield* postJson(`${url}/test/Vision/wait`, {}, { "chorale-deadline": "20" })
      yield* postJson(`${url}/nowhere`, {})
      yield* postJson(`${url}/rpc`, {})
      assert.strictEqual((yield* ok()).status, 200)
      yield* Effect.raceFirst(postJson(`${url}/test/Vision/flood`, {}), Deferred.await(waiting.started))
      yield* Deferred.await(waiting.interrupted)
      // The handler is told before the place is free.
      const again = yield* Effect.repeat(ok(), { until: ({ status }) => status === 200, times: 1000 })
      assert.strictEqual(again.status, 200)
    }))
})

describe("the body of a request in JSON", () => {
  const greet = (url: string, body: string) =>
    send(`${url}/test/Vision/greet`, { method: "POST", headers: { "content-type": "application/json" }, body })

  it.live("is refused where it names what reaches a prototype, however it is written", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      for (
        const body of [
          "{\"name\":\"x\",\"__proto__\":{\"a\":1}}",
          "{\"name\":\"x\",\"\\u005f_proto__\":1}",
          "{\"name\":\"x\",\"a\":[{\"__proto__\":null}]}",
          "{\"name\":\"x\",\"constructor\":{\"prototype\":{}}}",
          "{\"name\":\"x\",\"c\\u006fnstructor\":{\"prototype\":{}}}"
        ]
      ) {
        const answer = yield* greet(url, body)
        assert.strictEqual(answer.status, 400, body)
        assert.include(jsonOf(answer).error, "refused")
      }
      for (
        const body of [
          "{\"name\":\"__proto__ and constructor.prototype\"}",
          "{\"name\":\"x\",\"constructor\":\"Smith\"}",
          "{\"name\":\"\\u00e9\"}"
        ]
      ) assert.strictEqual((yield* greet(url, body)).status, 200, body)
    }))

  it.live("is refused where it nests deeper than the limit, and taken where it does not", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxJsonDepth: 8 })
      const nested = (open: string, close: string, depth: number) =>
        `{"name":"x","more":${open.repeat(depth - 1)}1${close.repeat(depth - 1)}}`
      for (const [open, close] of [["[", "]"], ["{\"a\":", "}"]] as const) {
        assert.strictEqual((yield* greet(url, nested(open, close, 8))).status, 200)
        const deep = yield* greet(url, nested(open, close, 9))
        assert.strictEqual(deep.status, 400)
        assert.include(jsonOf(deep).error, "8 levels")
      }
      assert.strictEqual((yield* greet(url, nested("[{\"a\":", "}]", 6))).status, 400)
      assert.strictEqual((yield* greet(url, nested("[", "]", 1_000_000))).status, 400)
    }))
})

describe("a body that is compressed", () => {
  it.live("is read as it was before, within the limit, on every route", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxBodySize: "64 KiB" })
      const greet = (encoding: string, body: Uint8Array) =>
        post(`${url}/test/Vision/greet`, Uint8Array.from(body), {
          "content-type": "application/json",
          "content-encoding": encoding
        })
      const json = "{\"name\":\"x\"}"
      assert.strictEqual((yield* greet("gzip", Zlib.gzipSync(json))).text, "\"hello x\"")
      assert.strictEqual((yield* greet("deflate", Zlib.deflateSync(json))).text, "\"hello x\"")
      assert.strictEqual((yield* greet("deflate, gzip", Zlib.gzipSync(Zlib.deflateSync(json)))).text, "\"hello x\"")
      assert.strictEqual((yield* greet("identity", Buffer.from(json))).text, "\"hello x\"")
      const bomb = Zlib.gzipSync(`{"name":"${"x".repeat(10_000_000)}"}`)
      assert.strictEqual((yield* greet("gzip", bomb)).status, 413)
      assert.strictEqual((yield* greet("gzip", Buffer.from(json))).status, 400)
      const other = yield* greet("br", Zlib.brotliCompressSync(json))
      assert.strictEqual(other.status, 415)
      assert.strictEqual(other.headers.get("accept-encoding"), "gzip, deflate")
      assert.strictEqual(jsonOf(other)._tag, "UnsupportedMediaType")
    }))
})

describe("pages of other origins", () => {
  const preflight = (url: string) =>
    send(`${url}/test/Vision/greet`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example.com", "access-control-request-method": "POST" }
    })

  it.live("may not call unless the server says so", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      assert.isNull((yield* preflight(url)).headers.get("access-control-allow-origin"))
    }))

  it.live("may call where they are named, also with a token", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({
        cors: { allowedOrigins: ["https://app.example.com", "https://two.example.com"] },
        token: Redacted.make("sesame")
      })
      const answer = yield* preflight(url)
      assert.strictEqual(answer.headers.get("access-control-allow-origin"), "https://app.example.com")
      assert.isTrue(answer.status < 300)
      const headers = { origin: "https://evil.example.com", authorization: "Bearer sesame" }
      const evil = yield* postJson(`${url}/test/Vision/greet`, { name: "x" }, headers)
      assert.isNull(evil.headers.get("access-control-allow-origin"))
    }))
})
