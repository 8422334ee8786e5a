import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MessageChannel } from "node:worker_threads"
import * as PortMessages from "../../../src/node/worker/portMessages.ts"

/** What arrives of messages that are sent in one turn, and how often something was posted for it. */
const passed = (...messages: ReadonlyArray<unknown>) =>
  Effect.callback<{ readonly received: ReadonlyArray<unknown>; readonly posts: number }>((resume) => {
    const { port1, port2 } = new MessageChannel()
    const received: Array<unknown> = []
    let posts = 0
    const send = PortMessages.makeSender((batch, transfer) => {
      posts++
      port1.postMessage(batch, transfer)
    })
    const receive = PortMessages.makeReceiver((message) => received.push(message))
    port2.on("message", (posted: PortMessages.Batch) => {
      receive(posted)
      if (received.length === messages.length) resume(Effect.succeed({ received, posts }))
    })
    for (const message of messages) send(message)
    return Effect.sync(() => port1.close())
  })

const request = (payload: unknown) => ({ _tag: "Request", id: 1, tag: "a/b", payload, headers: [["x", "y"]] })
const result = (value: unknown) => ({ _tag: "Exit", requestId: 1, exit: { _tag: "Success", value } })

const bytes = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251)

describe("messages between threads", () => {
  it.live("arrive as they were sent, with and without bytes, alone and many in a turn", () =>
    Effect.gen(function*() {
      const messages = [
        request({ text: "a", zero: -0, none: null }),
        request({ data: bytes(3), zero: -0, list: [1, { more: bytes(10_000) }] }),
        result(bytes(5000)),
        result("text"),
        { _tag: "Interrupt", requestId: 1 },
        { _tag: "Chunk", requestId: 1, values: [bytes(2), "b"] }
      ]
      for (const message of messages) {
        const { posts, received } = yield* passed(message)
        assert.deepStrictEqual(received, [message])
        assert.strictEqual(posts, 1)
      }
      const { posts, received } = yield* passed(...messages)
      assert.deepStrictEqual(received, messages)
      assert.strictEqual(posts, 1)
    }))

  it.live("arrive with their tensors, wherever these are", () =>
    Effect.gen(function*() {
      const tensor = (shape: ReadonlyArray<number>, data: unknown) => ({ dtype: "float32", shape, data })
      const large = tensor([2, 3], new Float32Array(6).fill(0.5))
      const none = tensor([0], new Float32Array(0))
      const values: ReadonlyArray<unknown> = [
        large,
        none,
        tensor([], new BigInt64Array([1n])),
        { a: large, b: none },
        { "": large, a: tensor([], Float64Array.of(-0)), text: "b", list: [1, { c: null }], nothing: null },
        { a: large, zero: -0 },
        { a: { nested: large }, b: large, list: [large] },
        { ...large, more: 1 },
        { a: tensor([1], [1]), b: tensor([1], bytes(1)) },
        { a: { ...large, shape: ["2"] } },
        [large],
        { ["__proto__"]: large }
      ]
      for (const value of values) {
        assert.deepStrictEqual((yield* passed(request(value))).received, [request(value)])
        assert.deepStrictEqual((yield* passed(result(value))).received, [result(value)])
      }
      const odd = yield* passed(result({ a: tensor([undefined as never], bytes(1)) }))
      assert.deepStrictEqual(odd.received, [result({ a: tensor([null as never], bytes(1)) })])
      const both = values.flatMap((value) => [request(value), result(value)])
      assert.deepStrictEqual((yield* passed(...both)).received, both)
    }))

  it.live("are what JSON makes of them also beside bytes", () =>
    Effect.gen(function*() {
      class Point {
        x = 1
        run = () => 2
      }
      const odd = {
        nothing: undefined,
        list: [undefined, () => 1, Symbol("s")],
        run: () => 1,
        at: new Date(0),
        point: new Point(),
        promise: Promise.resolve(1),
        ["__proto__"]: 1
      }
      const { received: [alone] } = yield* passed(request({ odd }))
      const { received: [beside] } = yield* passed(request({ odd, data: bytes(1) }))
      const expected = {
        list: [null, null, null],
        at: "1970-01-01T00:00:00.000Z",
        point: { x: 1 },
        promise: {},
        ["__proto__"]: 1
      }
      assert.deepStrictEqual(alone, request({ odd: expected }))
      assert.deepStrictEqual(beside, request({ odd: expected, data: bytes(1) }))
    }))

  it.live("leave their sender its bytes, and share only what is in shared memory", () =>
    Effect.gen(function*() {
      const own = bytes(100_000)
      const part = new Uint8Array(own.buffer, 8, 16)
      const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(1)
      const { received } = yield* passed(result([own, part, shared]))
      const [gotOwn, gotPart, gotShared] = (received[0] as { readonly exit: { readonly value: Array<Uint8Array> } })
        .exit.value
      assert.strictEqual(own.byteLength, 100_000)
      assert.strictEqual(gotPart!.buffer.byteLength, 16)
      own[0] = 99
      shared[0] = 99
      assert.strictEqual(gotOwn![0], 0)
      assert.strictEqual(gotShared![0], 99)
    }))
})
