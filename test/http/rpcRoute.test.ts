import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import * as Frames from "../../src/internal/frames.ts"
import { Echo, echoLive, makeWaiting, type Waiting } from "../fixtures/echo.ts"
import { begin, frameOf, itemSize, makeProbe, post, Probe } from "../fixtures/httpProbe.ts"
import { random } from "../fixtures/random.ts"
import { serve } from "../fixtures/server.ts"

const mebibyte = 1024 * 1024

/** A server with one call on it, which must not notice what others do. */
const withServer = <A, E, R>(use: (url: string, waiting: Waiting) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const waiting = yield* makeWaiting
    const url = yield* serve(Echo, echoLive(waiting), { maxBodySize: "1 MiB" })
    const other = yield* Effect.forkChild(post(url, frameOf({ tag: "test/Echo/wait", payload: null })))
    yield* Deferred.await(waiting.started)
    yield* use(url, waiting)
    assert.strictEqual((yield* post(url, frameOf({}))).status, 200)
    assert.isUndefined(other.pollUnsafe())
    assert.isFalse(yield* Deferred.isDone(waiting.interrupted))
    yield* Fiber.interrupt(other)
    yield* Deferred.await(waiting.interrupted)
  })

const claim = (length: number, bytes: number) => {
  const frame = new Uint8Array(bytes)
  new DataView(frame.buffer).setUint32(0, length, true)
  return frame
}

const messageOf = (bytes: Uint8Array) => Frames.decode(bytes) as Record<string, unknown>

const failureOf = (bytes: Uint8Array): Record<string, unknown> => JSON.parse(new TextDecoder().decode(bytes))

describe("the route of the calls of Remote.layerHttp", () => {
  it.live("answers one request with one frame, under the id of its caller", () =>
    withServer(Effect.fnUntraced(function*(url) {
      for (const id of [0, 7, "seven", 2 ** 40]) {
        const { bytes } = yield* post(url, frameOf({ id }))
        const message = messageOf(bytes)
        assert.strictEqual(message["_tag"], "Exit")
        assert.strictEqual(message["requestId"], id)
      }
    })))

  it.live("keeps calls apart that have the same id", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const names = Array.from({ length: 32 }, (_, index) => `${index}`)
      const answers = yield* Effect.forEach(names, (name) => post(url, frameOf({ payload: { name } })), {
        concurrency: "unbounded"
      })
      for (const [index, { bytes }] of answers.entries()) {
        assert.include(JSON.stringify(messageOf(bytes)), `"hello ${index}"`)
      }
    })))

  it.live("refuses with 400 what is not one request in one frame, and says why", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const next = random(1)
      const whole = frameOf({})
      const cases: ReadonlyArray<readonly [string, Uint8Array]> = [
        ["nothing", new Uint8Array(0)],
        ["one byte", new Uint8Array(1)],
        ["random bytes", Uint8Array.from({ length: 200 }, () => next() * 256)],
        ["half a frame", whole.subarray(0, whole.byteLength / 2)],
        ["two frames", Buffer.concat([whole, whole])],
        ["a frame that claims 4 GiB", claim(0xffff_ffff, 64)],
        ["a frame of nothing", claim(16, 16)],
        ["a frame whose attachments are missing", Frames.encode([{}]).fill(0xff, 8, 12)],
        ["no message", Frames.encode([null])],
        ["no request", Frames.encode([{ _tag: "Interrupt", requestId: 1 }])],
        ["an id that is none", frameOf({ id: null })],
        ["a tag that is none", frameOf({ tag: 7 })],
        ["headers that are none", frameOf({ headers: 7 })],
        ["headers of other things", frameOf({ headers: [["name", 7]] })]
      ]
      for (const [name, body] of cases) {
        const { bytes, status } = yield* post(url, body)
        assert.strictEqual(status, 400, name)
        assert.strictEqual(failureOf(bytes)["_tag"], "InvalidPayload", name)
        assert.include(String(failureOf(bytes)["error"]), "frame", name)
      }
    })))

  it.live("refuses another content type with 415", () =>
    withServer(Effect.fnUntraced(function*(url) {
      for (const type of ["application/json", "application/octet-stream", "application/vnd.chorale.frames; x=1"]) {
        const { bytes, status } = yield* post(url, frameOf({}), type)
        assert.strictEqual(status, 415, type)
        assert.include(String(failureOf(bytes)["error"]), "application/vnd.chorale.frames")
      }
    })))

  it.live("takes 1,000 damaged and random bodies without harm to a call that runs", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const next = random(2)
      const whole = [
        frameOf({}),
        frameOf({ tag: "test/Echo/bytes", payload: { body: Uint8Array.of(1, 2, 3) } }),
        frameOf({ tag: "test/Echo/count", payload: { to: 3 } })
      ]
      const damaged = () => {
        if (next() < 0.1) return Uint8Array.from({ length: 64 }, () => next() * 256)
        const frame = whole[Math.floor(next() * whole.length)]!.slice()
        for (let changes = Math.ceil(next() * 4); changes > 0; changes--) {
          frame[Math.floor(next() * frame.byteLength)] = next() * 256
        }
        return next() < 0.1 ? frame.subarray(0, Math.floor(next() * frame.byteLength)) : frame
      }
      const statuses = yield* Effect.forEach(
        Array.from({ length: 1000 }, damaged),
        (body) => Effect.map(post(url, body), ({ status }) => status),
        { concurrency: 16 }
      )
      assert.deepStrictEqual(statuses.filter((status) => status !== 200 && status !== 400), [])
    })))

  it.live("refuses a body over the limit with 413, announced or not", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const large = frameOf({ tag: "test/Echo/bytes", payload: { body: new Uint8Array(mebibyte) } })
      assert.strictEqual((yield* post(url, large)).status, 413)
      const unannounced = yield* begin(url, { "transfer-encoding": "chunked" })
      yield* Effect.forkChild(unannounced.write(large))
      assert.strictEqual((yield* unannounced.response).statusCode, 413)
    })))

  it.live("takes a body that comes slowly, in as many pieces as it likes", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const frame = frameOf({ tag: "test/Echo/bytes", payload: { body: new Uint8Array(300_000).fill(7) } })
      for (const headers of [{ "content-length": frame.byteLength }, { "transfer-encoding": "chunked" }]) {
        const request = yield* begin(url, headers)
        for (let at = 0; at < frame.byteLength; at += 10_007) {
          yield* request.write(frame.subarray(at, at + 10_007))
          yield* Effect.yieldNow
        }
        if ("transfer-encoding" in headers) yield* request.end
        assert.strictEqual((yield* request.response).statusCode, 200)
      }
    })))

  it.live("sets no memory aside for what is only announced, and forgets who hangs up in a body", () =>
    withServer(Effect.fnUntraced(function*(url) {
      const before = process.memoryUsage().arrayBuffers
      yield* Effect.scoped(Effect.gen(function*() {
        for (let index = 0; index < 100; index++) {
          const request = yield* begin(url, { "content-length": mebibyte })
          yield* request.write(frameOf({}).subarray(0, 40))
        }
        assert.strictEqual((yield* post(url, frameOf({}))).status, 200)
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 30 * mebibyte)
      }))
    })))

  it.live("interrupts the producer of a stream whose reader hangs up", () =>
    Effect.gen(function*() {
      const { live, seen } = yield* makeProbe
      const url = yield* serve(Probe, live)
      const frame = frameOf({ tag: "test/HttpProbe/flood", payload: null })
      const request = yield* begin(url, { "content-length": frame.byteLength })
      yield* request.write(frame)
      assert.strictEqual((yield* request.response).statusCode, 200)
      yield* request.hangUp
      yield* Deferred.await(seen.closed)
    }))

  it.live("produces no more of a stream than its reader takes", () =>
    Effect.gen(function*() {
      const { live, seen } = yield* makeProbe
      const url = yield* serve(Probe, live)
      const frame = frameOf({ tag: "test/HttpProbe/flood", payload: null })
      const request = yield* begin(url, { "content-length": frame.byteLength })
      yield* request.write(frame)
      yield* request.response
      // Nothing is read: the buffers of both ends fill up, and then nothing more is produced.
      const settled = yield* Effect.sync(seen.produced).pipe(
        Effect.tap(Effect.sleep("200 millis")),
        Effect.repeat({ times: 50, until: (produced) => produced > 0 && produced === seen.produced() })
      )
      yield* Effect.sleep("300 millis")
      assert.strictEqual(seen.produced(), settled)
      assert.isBelow(settled * itemSize, 64 * mebibyte)
    }))

  it.live("answers 503 to the calls that run when the server stops", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const scope = yield* Scope.make()
      const url = yield* serve(Echo, echoLive(waiting)).pipe(Scope.provide(scope))
      const running = yield* Effect.forkChild(post(url, frameOf({ tag: "test/Echo/wait", payload: null })))
      yield* Deferred.await(waiting.started)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(running)).status, 503)
    }))
})
