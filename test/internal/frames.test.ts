import { assert, describe, it } from "@effect/vitest"
import * as Frames from "../../src/internal/frames.ts"

const roundTrip = (...messages: ReadonlyArray<unknown>) => Frames.makeDecoder(2 ** 30)(Frames.encode(messages))

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
const random = (seed: number) => () => {
  seed = seed + 0x6d2b79f5 | 0
  let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
  mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
  return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32
}

const message = {
  _tag: "Request",
  payload: {
    a: Uint8Array.of(1, 2, 3),
    list: [Uint8Array.of(), "text", Uint8Array.of(4)],
    zero: -0,
    nested: { zeros: [0, -0] }
  }
}

describe("frames", () => {
  it("carry bytes at any depth, negative zeros and everything JSON can say", () => {
    assert.deepStrictEqual(roundTrip(message, null, -0, [true, "é", 1e-7], Uint8Array.of(9)), [
      message,
      null,
      -0,
      [true, "é", 1e-7],
      Uint8Array.of(9)
    ])
  })

  it("leave the message that they carry as it was", () => {
    const before = structuredClone(message)
    Frames.encode([message])
    assert.deepStrictEqual(message, before)
  })

  it("give attachments that are aligned to 8 bytes, wherever the frame starts", () => {
    for (let shift = 0; shift < 8; shift++) {
      const frame = Frames.encode([message])
      const shifted = new Uint8Array(frame.byteLength + shift).subarray(shift)
      shifted.set(frame)
      const [decoded] = Frames.makeDecoder(1024)(shifted) as ReadonlyArray<typeof message>
      assert.strictEqual((decoded?.payload.a.byteOffset ?? 1) % 8, 0)
      assert.deepStrictEqual(decoded, message)
    }
  })

  it("arrive whole from chunks of any size", () => {
    const bytes = Frames.encode([message, { second: Uint8Array.of(5) }])
    for (let size = 1; size <= bytes.byteLength; size++) {
      const decode = Frames.makeDecoder(1024)
      const received: Array<unknown> = []
      for (let start = 0; start < bytes.byteLength; start += size) {
        received.push(...decode(bytes.slice(start, start + size)))
      }
      assert.deepStrictEqual(received, [message, { second: Uint8Array.of(5) }], `chunks of ${size}`)
    }
  })

  it("over the limit are refused from their first bytes", () => {
    const claimsFourGigabytes = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
    assert.throws(() => Frames.makeDecoder(1024)(claimsFourGigabytes), Frames.FrameError)
    assert.throws(() => Frames.makeDecoder(1024)(Uint8Array.of(1, 0, 0, 0)), Frames.FrameError)
  })

  it("cannot put bytes where the message has none, nor outside of it", () => {
    const forge = (head: unknown) => {
      const frame = Frames.encode([{ m: "x".repeat(200), a: Uint8Array.of(1) }])
      const view = new DataView(frame.buffer)
      const text = new TextEncoder().encode(JSON.stringify(head).padEnd(view.getUint32(4, true)))
      frame.set(text, 24)
      return () => Frames.makeDecoder(1024)(frame)
    }
    assert.deepStrictEqual(forge({ m: { a: null }, b: [["a"]], z: [] })(), [{ a: Uint8Array.of(1) }])
    for (
      const head of [
        { m: { a: 1 }, b: [["a"]], z: [] },
        { m: {}, b: [["__proto__"]], z: [] },
        { m: {}, b: [["constructor", "prototype"]], z: [] },
        { m: { a: null }, b: [["a", "b"]], z: [] },
        { m: { a: null }, b: [], z: [] },
        { m: { a: null }, b: [["a"], ["a"]], z: [] },
        { m: { a: null }, b: [[{}]], z: [] },
        { m: { a: null }, b: [["a"]], z: [["a"]] },
        { m: { a: null, c: [] }, b: [["a"]], z: [["c", "length"]] },
        { m: { a: null } },
        null
      ]
    ) assert.throws(forge(head), Frames.FrameError, undefined, JSON.stringify(head))
    assert.isUndefined(Object.getOwnPropertyDescriptor(Object.prototype, "a"))
  })

  it("that are damaged in any way are refused with FrameError or decode to something", () => {
    const next = random(1)
    const whole = Frames.encode([message])
    for (let run = 0; run < 20_000; run++) {
      const damaged = whole.slice(0, next() < 0.2 ? Math.floor(next() * whole.byteLength) : whole.byteLength)
      for (let changes = Math.ceil(next() * 4); changes > 0 && damaged.byteLength > 0; changes--) {
        damaged[Math.floor(next() * damaged.byteLength)] = Math.floor(next() * 256)
      }
      try {
        Frames.makeDecoder(1 << 20)(damaged)
      } catch (error) {
        assert.instanceOf(error, Frames.FrameError)
      }
    }
  })
})
