import { assert, describe, it } from "@effect/vitest"
import { Bento, Model, Serve, Tensor } from "chorale"
import { Cause, Context, Deferred, Effect, Layer, Logger, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { layerServer } from "../../src/node/HttpServer.ts"
import { jsonOf, post, postJson, send, serveVision } from "./surface.ts"

const floats = (...values: ReadonlyArray<number>) => Buffer.from(Float32Array.from(values).buffer)

const vector = (...values: ReadonlyArray<number>) => ({
  dtype: "float32",
  shape: [values.length],
  data: floats(...values).toString("base64")
})

const form = (fields: Readonly<Record<string, string | Blob | ReadonlyArray<string>>>) => {
  const data = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    for (const each of typeof value === "string" || value instanceof Blob ? [value] : value) data.append(name, each)
  }
  return data
}

const file = (bytes: Uint8Array, type = "image/png") => new Blob([Uint8Array.from(bytes)], { type })

describe("the route of a method", () => {
  it.live("takes a form whose files are bytes and tensors and whose other parts are text and JSON", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* send(`${url}/test/Vision/form`, {
        method: "POST",
        body: form({
          image: file(Uint8Array.of(1, 2, 3)),
          pixels: file(new Uint8Array(12), "application/octet-stream; shape=2x2x3"),
          label: "7",
          top: "3",
          tags: ["a", "b"]
        })
      })
      assert.strictEqual(answer.status, 200, answer.text)
      assert.deepStrictEqual(jsonOf(answer), { size: 3, label: "7", top: 3, shape: [2, 2, 3], tags: ["a", "b"] })
      const listed = yield* send(`${url}/test/Vision/form`, {
        method: "POST",
        body: form({ image: file(Uint8Array.of(1)), label: "x", top: "1", tags: "[\"a\"]" })
      })
      assert.deepStrictEqual(jsonOf(listed).tags, ["a"])
      const single = yield* send(`${url}/test/Vision/form`, {
        method: "POST",
        body: form({ image: file(Uint8Array.of(1)), label: "x", top: "1", tags: "one" })
      })
      assert.deepStrictEqual(jsonOf(single).tags, ["one"])
    }))

  it.live("says which part of a form does not fit", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxParts: 5, maxPartSize: "1 KiB" })
      const good = { image: file(Uint8Array.of(1)), label: "x", top: "1" }
      const attempt = (fields: Parameters<typeof form>[0]) =>
        send(`${url}/test/Vision/form`, { method: "POST", body: form(fields) })
      const wrong = yield* attempt({ ...good, top: "many" })
      assert.strictEqual(wrong.status, 400)
      assert.include(jsonOf(wrong).error, "top")
      const missing = yield* attempt({ image: good.image, label: "x" })
      assert.strictEqual(missing.status, 400)
      assert.include(jsonOf(missing).error, "top")
      const unshaped = yield* attempt({ ...good, pixels: file(new Uint8Array(12), "application/octet-stream") })
      assert.strictEqual(unshaped.status, 400)
      assert.include(jsonOf(unshaped).error, "shape")
      const twice = yield* attempt({ ...good, label: ["a", "b"] })
      assert.strictEqual(twice.status, 400)
      assert.include(jsonOf(twice).error, "label")
      const large = yield* attempt({ ...good, image: file(new Uint8Array(2000)) })
      assert.strictEqual(large.status, 413)
      const many = yield* attempt({ ...good, tags: ["a", "b", "c"] })
      assert.strictEqual(many.status, 413)
      const declared = yield* attempt({ ...good, image: file(new Uint8Array(0)) })
      assert.strictEqual(declared.status, 422)
      assert.deepInclude(jsonOf(declared), { _tag: "Unreadable", reason: "empty" })
    }))

  it.live("takes a raw body where the payload is bytes, or one tensor whose shape follows from its size", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const octets = { "content-type": "application/octet-stream" }
      const raw = yield* post(`${url}/test/Vision/raw`, "bytes", octets)
      assert.strictEqual(raw.text, "bytes")
      assert.strictEqual(raw.headers.get("content-type"), "application/octet-stream")
      assert.strictEqual((yield* post(`${url}/test/Vision/sum`, floats(1, 2, 4), octets)).text, "7")
      const shaped = yield* post(`${url}/test/Vision/sum`, floats(1, 2), {
        "content-type": "application/octet-stream; shape=3"
      })
      assert.strictEqual(shaped.status, 400)
      assert.strictEqual((yield* post(`${url}/test/Vision/sum`, "12345", octets)).status, 400)
    }))

  it.live("answers bytes in JSON to who takes nothing else", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* post(`${url}/test/Vision/raw`, "hi", {
        "content-type": "application/octet-stream",
        accept: "application/json"
      })
      assert.strictEqual(jsonOf(answer), "aGk=")
    }))

  it.live("carries tensors in JSON, with NaN and infinities as numbers of their own", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const scaled = jsonOf(yield* postJson(`${url}/test/Vision/scale`, { vector: vector(1, NaN), by: 2 }))
      const bytes = Buffer.from(scaled.data, "base64")
      assert.deepStrictEqual(
        Tensor.fromBytes("float32", [2], new Uint8Array(bytes))?.data,
        Float32Array.of(2, NaN)
      )
      const infinite = yield* postJson(`${url}/test/Vision/scale`, { vector: vector(1), by: "Infinity" })
      assert.strictEqual(infinite.status, 200)
    }))

  it.live("answers a method without a payload and without a result", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* send(`${url}/test/Vision/nothing`, { method: "POST" })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.text, "null")
    }))

  it.live("answers each declared error with its own status, and each reason with its status and retry-after", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const fail = (reason: string) => postJson(`${url}/test/Vision/fail`, { reason })
      const refuse = (reason: string) => postJson(`${url}/test/Vision/refuse`, { reason })
      assert.strictEqual((yield* fail("unknown")).status, 404)
      assert.strictEqual((yield* fail("empty")).status, 422)
      for (
        const [reason, status, retryAfter] of [
          ["Overloaded", 429, "2"],
          ["Unavailable", 503, "1"],
          ["ContractMismatch", 502, null]
        ] as const
      ) {
        const answer = yield* refuse(reason)
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.headers.get("retry-after"), retryAfter)
        assert.deepInclude(jsonOf(answer), { _tag: reason, service: "test/Vision", method: "refuse" })
        assert.isString(jsonOf(answer).error)
      }
    }))

  it.live("has none for a method that takes a stream, and says so as of any other path", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* postJson(`${url}/test/Vision/listen`, {})
      assert.strictEqual(answer.status, 404)
      assert.notInclude(answer.text, "POST /test/Vision/listen,")
    }))
})

describe("the answer of a stream", () => {
  it.live("is server-sent events where the client asks for them, with its failure as an event of its own", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* postJson(`${url}/test/Vision/count`, { to: 2 }, { accept: "text/event-stream" })
      assert.include(answer.headers.get("content-type"), "text/event-stream")
      const events = answer.text.split("\n\n").filter((event) => event !== "")
      assert.deepStrictEqual(events.slice(0, 2), ["data: 1", "data: 2"])
      assert.match(events[2] ?? "", /^event: error\ndata: \{"_tag":"Unreadable",/)
      assert.strictEqual(events.length, 3)
    }))

  it.live("is lines of JSON for everybody else", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* postJson(`${url}/test/Vision/count`, { to: 1 }, { accept: "*/*" })
      assert.include(answer.headers.get("content-type"), "application/x-ndjson")
      assert.strictEqual(answer.text.split("\n")[0], "1")
    }))

  it.live("has the status of the failure where the stream fails before its first item", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* postJson(`${url}/test/Vision/shed`, {})
      assert.strictEqual(answer.status, 429)
      assert.strictEqual(jsonOf(answer)._tag, "Overloaded")
    }))

  it.live("stops its producer when the client goes away", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision()
      yield* Effect.raceFirst(postJson(`${url}/test/Vision/flood`, {}), Deferred.await(waiting.started))
      yield* Deferred.await(waiting.interrupted)
    }))
})

describe("a result that does not fit its contract", () => {
  it.live("is answered as a defect, and the log has the method and what is wrong in a sentence", () =>
    Effect.gen(function*() {
      class Broken extends Model.Service<Broken>()("test/Broken", [Rpc.make("half", { success: Schema.Int })]) {}
      const causes: Array<string> = []
      const logger = Logger.make<unknown, void>(({ cause }) => void causes.push(Cause.pretty(cause)))
      const live = Broken.toLayer({ half: () => Effect.succeed(0.5) })
      const surfaces = Layer.mergeAll(Serve.http([Broken]), Bento.http(Broken))
      const context = yield* Layer.build(
        HttpRouter.serve(surfaces, { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provide(live),
          Layer.provideMerge(layerServer({ port: 0 })),
          Layer.provide(Logger.layer([logger]))
        )
      )
      const url = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
      for (const path of ["/test/Broken/half", "/half"]) {
        const answer = yield* postJson(url + path, {})
        assert.deepStrictEqual([answer.status, jsonOf(answer)._tag], [500, "Defect"])
        assert.include(causes.pop(), "test/Broken.half: the result does not fit the contract: Expected an integer")
      }
    }))
})
