import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, type Scope } from "effect"
import { request } from "node:http"
import { connect } from "node:net"
import { Echo, echoLive, makeWaiting, type Waiting } from "./fixtures/echo.ts"
import { serve } from "./fixtures/server.ts"

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const send = (url: string, init?: RequestInit): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { ...init, signal })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const post = (url: string, type: string, body: NonNullable<RequestInit["body"]>) =>
  send(url, { method: "POST", headers: { "content-type": type }, body })

const postJson = (url: string, json: unknown) => post(url, "application/json", JSON.stringify(json))

const withServer = (use: (url: string, waiting: Waiting) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const waiting = yield* makeWaiting
    const url = yield* serve(Echo, echoLive(waiting), { maxBodySize: "1 MiB" })
    yield* use(url, waiting)
  })

const failureOf = (answer: Answer): Record<string, unknown> => {
  assert.include(answer.headers.get("content-type"), "application/json")
  return JSON.parse(answer.text)
}

describe("Serve.http", () => {
  it.live("answers a method with JSON at the path of its contract", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const answer = yield* postJson(`${url}/test/Echo/greet`, { name: "world" })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(JSON.parse(answer.text), "hello world")
    })))

  it.live("takes bytes as they are where the payload is one field of bytes, and answers bytes as they are", () =>
    withServer(Effect.fnUntraced(function*(url) {
      for (const type of ["application/octet-stream", "image/png", "Image/JPEG; quality=1"]) {
        const answer = yield* post(`${url}/test/Echo/bytes`, type, "raw")
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.text, "raw")
        assert.strictEqual(answer.headers.get("content-type"), "application/octet-stream")
      }
      assert.strictEqual((yield* postJson(`${url}/test/Echo/bytes`, { body: "cmF3" })).text, "raw")
    })))

  it.live("streams one JSON value a line, and the declared error of the stream as the last", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const answer = yield* postJson(`${url}/test/Echo/count`, { to: 2 })
      const lines = answer.text.trim().split("\n").map((line) => JSON.parse(line))
      assert.deepStrictEqual(lines.slice(0, 2), [1, 2])
      assert.strictEqual(lines[2]._tag, "Refused")
      assert.strictEqual(lines[2].reason, "enough")
    })))

  it.live("answers a declared error with its fields and the status of its schema", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const answer = yield* postJson(`${url}/test/Echo/refuse`, { reason: "no", at: "1970-01-01T00:00:00.000Z" })
      assert.strictEqual(answer.status, 422)
      const failure = failureOf(answer)
      assert.strictEqual(failure["_tag"], "Refused")
      assert.strictEqual(failure["reason"], "no")
      assert.strictEqual(failure["at"], "1970-01-01T00:00:00.000Z")
      assert.isString(failure["error"])
    })))

  it.live("answers Overloaded with 429 and a Retry-After in whole seconds", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const answer = yield* postJson(`${url}/test/Echo/shed`, {})
      assert.strictEqual(answer.status, 429)
      assert.strictEqual(answer.headers.get("retry-after"), "2")
      assert.strictEqual(failureOf(answer)["_tag"], "Overloaded")
    })))

  it.live("answers a defect with 500 and tells nothing of its cause", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const answer = yield* postJson(`${url}/test/Echo/crash`, {})
      assert.strictEqual(answer.status, 500)
      assert.strictEqual(failureOf(answer)["_tag"], "Defect")
      assert.notInclude(answer.text, "a bug")
      assert.notInclude(answer.text, ".ts")
      assert.strictEqual((yield* postJson(`${url}/test/Echo/greet`, { name: "still here" })).status, 200)
    })))

  it.live("refuses what is not the payload of the method with 400 and says where", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const wrongField = failureOf(yield* postJson(`${url}/test/Echo/greet`, { name: 1 }))
      assert.strictEqual(wrongField["_tag"], "InvalidPayload")
      assert.include(String(wrongField["error"]), "name")
      for (const body of ["", "{", "null", "[]", "\"text\"", "{\"name\":\"\"}"]) {
        const answer = yield* post(`${url}/test/Echo/greet`, "application/json", body)
        assert.strictEqual(answer.status, 400, body)
        assert.strictEqual(failureOf(answer)["_tag"], "InvalidPayload")
      }
      assert.strictEqual((yield* post(`${url}/test/Echo/bytes`, "image/png", "")).status, 400)
      const notUtf8 = yield* post(
        `${url}/test/Echo/greet`,
        "application/json",
        Buffer.from("{\"name\":\"\xff\"}", "latin1")
      )
      assert.strictEqual(notUtf8.status, 400)
    })))

  it.live("refuses another content type with 415 and says which it takes", () =>
    withServer(Effect.fnUntraced(function*(url) {
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "image/png"]) {
        const answer = yield* post(`${url}/test/Echo/greet`, type, "x")
        assert.strictEqual(answer.status, 415, type)
        assert.include(String(failureOf(answer)["error"]), "application/json")
      }
    })))

  it.live("answers an unknown route with 404 and a wrong verb with 405, both in JSON", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const unknown = yield* postJson(`${url}/test/Echo/gret`, {})
      assert.strictEqual(unknown.status, 404)
      assert.include(String(failureOf(unknown)["error"]), "POST /test/Echo/greet")
      const verb = yield* send(`${url}/test/Echo/greet`)
      assert.strictEqual(verb.status, 405)
      assert.strictEqual(verb.headers.get("allow"), "POST")
    })))

  it.live("refuses a body over the limit with 413, announced or not, and lives on", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const large = new Uint8Array(1024 * 1024 + 1)
      const announced = yield* post(`${url}/test/Echo/bytes`, "image/png", large)
      assert.strictEqual(announced.status, 413)
      assert.include(String(failureOf(announced)["error"]), "1 MiB")
      assert.strictEqual((yield* post(`${url}/test/Echo/bytes`, "image/png", large.subarray(1))).status, 200)
      const chunked = yield* Effect.callback<number>((resume) => {
        const call = request(`${url}/test/Echo/bytes`, { method: "POST", headers: { "content-type": "image/png" } })
        call.on("response", (response) => resume(Effect.succeed(response.statusCode ?? 0)))
        call.on("error", () => resume(Effect.succeed(0)))
        call.write(large)
        return Effect.sync(() => call.destroy())
      })
      assert.strictEqual(chunked, 413)
      assert.strictEqual((yield* postJson(`${url}/test/Echo/greet`, { name: "still here" })).status, 200)
    })))

  it.live("takes 32 MiB unless told otherwise", () =>
    Effect.gen(function*() {
      const url = yield* serve(Echo, echoLive(yield* makeWaiting))
      const limit = new Uint8Array(32 * 1024 * 1024)
      assert.strictEqual((yield* post(`${url}/test/Echo/bytes`, "image/png", limit)).status, 200)
      const over = yield* post(`${url}/test/Echo/bytes`, "image/png", new Uint8Array(limit.length + 1))
      assert.strictEqual(over.status, 413)
    }))

  it.live("leaves other calls alone when a client hangs up in the middle of its body", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const { hostname, port } = new URL(url)
      yield* Effect.callback<void>((resume) => {
        const socket = connect(Number(port), hostname, () => {
          const head =
            "POST /test/Echo/bytes HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n"
          socket.write(`${head}half`, () => socket.destroy())
        })
        socket.on("close", () => resume(Effect.void))
      })
      assert.strictEqual((yield* postJson(`${url}/test/Echo/greet`, { name: "still here" })).status, 200)
    })))

  it.live("interrupts the handler when the client goes away", () =>
    withServer(Effect.fnUntraced(function*(url, waiting) {
      yield* Effect.raceFirst(postJson(`${url}/test/Echo/wait`, {}), Deferred.await(waiting.started))
      yield* Deferred.await(waiting.interrupted)
    })))

  it.live("says that it lives and is ready", () =>
    withServer(Effect.fnUntraced(function*(url) {
      assert.strictEqual((yield* send(`${url}/livez`)).status, 200)
      assert.strictEqual((yield* send(`${url}/readyz`)).status, 200)
    })))
})
