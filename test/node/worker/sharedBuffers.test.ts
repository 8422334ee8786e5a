import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import { MessageChannel } from "node:worker_threads"
import * as PortMessages from "../../../src/node/worker/portMessages.ts"

V8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = Vm.runInNewContext("gc")

/** One direction between two threads: passes messages one by one, and says how they were posted. */
const makeLink = Effect.map(
  Effect.acquireRelease(Effect.sync(() => new MessageChannel()), ({ port1 }) => Effect.sync(() => port1.close())),
  ({ port1, port2 }) => {
    const texts: Array<string> = []
    let arrays = 0
    const nobody: (message: unknown) => void = () => undefined
    let arrived = nobody
    const send = PortMessages.makeSender((batch, transfer) => {
      arrays = typeof batch === "string" ? 0 : batch.filter(ArrayBuffer.isView).length
      if (typeof batch === "string") texts.push(batch)
      port1.postMessage(batch, transfer)
    })
    const receive = PortMessages.makeReceiver((message) => arrived(message))
    port2.on("message", receive)
    const pass = <A>(payload: A) =>
      Effect.callback<A>((resume) => {
        // What arrives is the request that was sent.
        arrived = (message) => {
          arrived = nobody
          resume(Effect.succeed((message as { readonly payload: A }).payload))
        }
        send({ _tag: "Request", id: 1, tag: "a/b", payload, headers: [] })
      })
    /** How many typed arrays were posted with the last message. */
    const postedArrays = () => arrays
    return { pass, postedArrays, send, texts }
  }
)

const sharedFloats = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length))

/** A turn of the event loop, in which what is collected is noticed and what was posted arrives. */
const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

const isCollected = Effect.fnUntraced(function*(buffer: WeakRef<object>) {
  for (let turns = 0; turns < 50; turns++) {
    // Not in one turn with a look at it, which keeps it.
    yield* turn
    collectGarbage()
    yield* turn
    if (buffer.deref() === undefined) return true
  }
  return false
})

describe("buffers in shared memory between threads", () => {
  it.live("are posted twice, and then only named", () =>
    Effect.gen(function*() {
      const { pass, postedArrays } = yield* makeLink
      const data = sharedFloats(8)
      for (const posted of [1, 1, 0, 0]) {
        data[3]!++
        const received = yield* pass({ tensor: { dtype: "float32", shape: [8], data } })
        assert.strictEqual(postedArrays(), posted)
        assert.deepStrictEqual(received, { tensor: { dtype: "float32", shape: [8], data } })
        received.tensor.data[5]!++
        assert.strictEqual(received.tensor.data[5], data[5])
      }
    }))

  it.live("arrive as the views that were sent, of any kind and part, several in a message", () =>
    Effect.gen(function*() {
      const { pass, postedArrays } = yield* makeLink
      const buffer = new SharedArrayBuffer(64)
      const other = sharedFloats(2).fill(7)
      new Uint8Array(buffer).forEach((_, index, bytes) => bytes[index] = index)
      const views = [
        new Float32Array(buffer, 8, 2),
        new Float64Array(buffer, 16, 1),
        new Int8Array(buffer, 1, 3),
        new Uint8Array(buffer),
        new Uint8ClampedArray(buffer, 63),
        new Int16Array(buffer, 2, 3),
        new Uint16Array(buffer, 4, 0),
        new Int32Array(buffer, 4, 1),
        new Uint32Array(buffer, 60),
        new BigInt64Array(buffer, 8, 1),
        new BigUint64Array(buffer, 56)
      ]
      for (let round = 0; round < 4; round++) {
        for (const view of views) {
          const own = Uint8Array.of(round)
          const payload = { a: view, b: "text", c: { d: own, e: other }, f: view.subarray(0, 1) }
          const received = yield* pass(payload)
          assert.deepStrictEqual(received, payload)
          assert.strictEqual(received.a.byteOffset, view.byteOffset)
          assert.strictEqual(received.a.constructor, view.constructor)
          assert.notInstanceOf(received.c.d.buffer, SharedArrayBuffer)
        }
      }
      assert.strictEqual(postedArrays(), 1)
      const bytes = Buffer.from(buffer, 3, 5)
      assert.deepStrictEqual(yield* pass({ a: bytes, b: "text", c: { d: bytes, e: other }, f: bytes }), {
        a: new Uint8Array(bytes) as Buffer,
        b: "text",
        c: { d: new Uint8Array(bytes) as Buffer, e: other },
        f: new Uint8Array(bytes) as Buffer
      })
    }))

  it.live("are kept by the receiver as long as the sender has them", () =>
    Effect.gen(function*() {
      const { pass, postedArrays, texts } = yield* makeLink
      const staying = sharedFloats(4).fill(2)
      let leaving: Float32Array | undefined = sharedFloats(4)
      const passAll = Effect.fnUntraced(function*() {
        yield* pass(staying)
        return leaving && new WeakRef((yield* pass(leaving)).buffer)
      })
      for (let round = 0; round < 3; round++) yield* passAll()
      const kept = yield* passAll()
      yield* turn
      collectGarbage()
      yield* turn
      assert.isDefined(kept?.deref())
      leaving = undefined
      assert.isTrue(yield* isCollected(kept!))
      assert.deepStrictEqual(texts.filter((text) => text.startsWith("-")), ["-:2"])
      assert.deepStrictEqual(yield* pass(staying), staying)
      assert.strictEqual(postedArrays(), 0)
    }))

  it.live("are not kept for having been posted once", () =>
    Effect.gen(function*() {
      const { pass } = yield* makeLink
      const receive = () => Effect.map(pass({ data: sharedFloats(4) }), ({ data }) => new WeakRef(data.buffer))
      assert.isTrue(yield* isCollected(yield* receive()))
    }))

  it.live("are not named where the message that would have said so could not be written", () =>
    Effect.gen(function*() {
      const { pass, postedArrays, send } = yield* makeLink
      const data = sharedFloats(2)
      yield* pass({ data, list: [1] })
      assert.throws(() => send({ _tag: "Request", id: 1, tag: "a/b", payload: { data, list: [1n] }, headers: [] }))
      assert.deepStrictEqual(yield* pass({ data, list: [2] }), { data, list: [2] })
      assert.strictEqual(postedArrays(), 1)
      assert.deepStrictEqual(yield* pass({ data, list: [3] }), { data, list: [3] })
      assert.strictEqual(postedArrays(), 0)
    }))

  it.live("are kept up to a number, and from then on posted each time until one is collected", () =>
    Effect.gen(function*() {
      const { pass, postedArrays } = yield* makeLink
      const all = Array.from({ length: 65 }, () => sharedFloats(1))
      const count = Effect.fnUntraced(function*() {
        let posted = 0
        for (const data of all) {
          assert.deepStrictEqual(yield* pass(data), data)
          posted += postedArrays()
        }
        return posted
      })
      yield* count()
      yield* count()
      assert.strictEqual(yield* count(), 1)
      const dropFirst = () => new WeakRef(all.shift()!.buffer)
      assert.isTrue(yield* isCollected(dropFirst()))
      yield* count()
      assert.strictEqual(yield* count(), 0)
    }))

  it.live("are posted each time where they may grow", () =>
    Effect.gen(function*() {
      const { pass, postedArrays } = yield* makeLink
      // The types of Node 20 do not know of it.
      const Growable = SharedArrayBuffer as new(length: number, options: object) => SharedArrayBuffer
      const data = new Uint8Array(new Growable(4, { maxByteLength: 8 }))
      for (let round = 0; round < 4; round++) {
        assert.deepStrictEqual(yield* pass(data), data)
        assert.strictEqual(postedArrays(), 1)
      }
    }))
})
