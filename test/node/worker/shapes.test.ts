import { assert, describe, it } from "@effect/vitest"
import { hasShape } from "../../../src/internal/shapes.ts"
import { expand, type Short } from "../../../src/internal/shortMessage.ts"
import * as Shapes from "../../../src/node/worker/shapes.ts"
import * as SharedBuffers from "../../../src/node/worker/sharedBuffers.ts"
import { jsonValue, random } from "../../fixtures/random.ts"

const request = (payload: unknown, headers: ReadonlyArray<readonly [string, string]> = [["x", "y"]], id = 1): Short => [
  0,
  id,
  "a/b",
  headers,
  payload
]
const result = (value: unknown): Short => [1, 7, value]

/** What one end makes of what the other writes, message by message, and how each was posted. */
const makePort = () => {
  const write = Shapes.makeWriter((array) => array.slice(), SharedBuffers.makeSender(() => undefined))
  const read = Shapes.makeReader(SharedBuffers.makeReceiver())
  return (short: Short) => {
    const posted = write(short)
    if (posted === undefined) return undefined
    const text = typeof posted === "string" ? posted : posted[0]
    const head: unknown = JSON.parse(text)
    assert.isTrue(hasShape(head))
    return { text, message: hasShape(head) ? read(head, posted) : undefined }
  }
}

describe("messages without their names", () => {
  it("name their fields once", () => {
    const pass = makePort()
    const payload = { label: "a", place: { x: 1, y: [2, 3] } }
    assert.include(pass(request(payload))?.text, "label")
    const again = pass(request({ label: "b", place: { x: 4, y: [] } }, [["x", "z"]], 2))
    assert.strictEqual(again?.text, "[4,0,2,\"z\",\"b\",4,[]]")
    assert.deepStrictEqual(
      again?.message,
      expand(request({ label: "b", place: { x: 4, y: [] } }, [["x", "z"]], 2))
    )
  })

  it("are told apart where fields, their order, kinds or headers differ", () => {
    const pass = makePort()
    const bytes = Uint8Array.of(1, 2)
    const messages = [
      request({ a: 1, b: 2 }),
      request({ b: 2, a: 1 }),
      request({ a: 1 }),
      request({ a: 1, b: 2, c: 3 }),
      request({ a: { b: 2 } }),
      request({ a: bytes, b: 2 }),
      request({ a: 1, b: 2 }, [["other", "y"]]),
      request({ a: 1, b: 2 }, []),
      request({ a: 1, b: 2 }, [["x", "y"], ["deadline", "3"]]),
      request("text"),
      request(bytes),
      request({}),
      result({ a: 1, b: 2 }),
      result(null),
      result({ value: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) } })
    ]
    for (const message of [...messages, ...messages.toReversed()]) {
      const { message: passed } = pass(message)!
      assert.deepStrictEqual(passed, expand(message))
      assert.deepStrictEqual(JSON.stringify(passed), JSON.stringify(expand(message)))
    }
  })

  it("are not written where JSON writes something else than they hold", () => {
    const pass = makePort()
    class Point {
      x = 1
    }
    const odd = [-0, undefined, () => 1, Symbol("s"), 1n, new Date(0), new Point(), new DataView(new ArrayBuffer(1))]
    for (const value of odd) {
      assert.isUndefined(pass(request({ a: 1, value })))
      assert.isUndefined(pass(result({ value })))
    }
    assert.isUndefined(pass(request({ ["__proto__"]: 1 })))
    assert.isUndefined(pass(request({ list: [bytesOf(3)] })))
    assert.deepStrictEqual(pass(request({ a: 1, value: 2 }))?.message, expand(request({ a: 1, value: 2 })))
  })

  it("go on after one that could not be written", () => {
    const pass = makePort()
    assert.throws(() => pass(request({ list: [1n] })))
    assert.deepStrictEqual(pass(request({ list: [1] }))?.message, expand(request({ list: [1] })))
    assert.deepStrictEqual(pass(request({ list: [2] }))?.message, expand(request({ list: [2] })))
  })

  it("have a bounded number of shapes, of a bounded size", () => {
    const pass = makePort()
    const passed = Array.from({ length: 100 }, (_, index) => pass(request({ [`key${index}`]: index })))
    assert.strictEqual(passed.filter((posted) => posted !== undefined).length, 16)
    assert.deepStrictEqual(pass(request({ key0: 5 }))?.message, expand(request({ key0: 5 })))
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`key${index}`, index]))
    assert.isUndefined(makePort()(request(many)))
    const deep = Array.from({ length: 9 }).reduce<unknown>((inner) => ({ inner }), 1)
    assert.isUndefined(makePort()(request(deep)))
  })

  it("arrive as JSON would have them, whatever comes before them", () => {
    const next = random(1)
    let written = 0
    for (let port = 0; port < 200; port++) {
      const pass = makePort()
      for (let message = 0; message < 100; message++) {
        const short = next() < 0.5 ? request(jsonValue(next, 2)) : result(jsonValue(next, 2))
        const passed = pass(short)
        if (passed === undefined) continue
        written++
        assert.deepStrictEqual(passed.message, expand(JSON.parse(JSON.stringify(short))))
      }
    }
    assert.isAbove(written, 10_000)
  })
})

const bytesOf = (length: number) => new Uint8Array(length)
