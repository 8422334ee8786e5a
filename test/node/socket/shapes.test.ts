import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import * as Frames from "../../../src/internal/frames.ts"
import * as Shapes from "../../../src/node/socket/shapes.ts"
import { jsonValue, picker, random } from "../../fixtures/random.ts"

const mebibyte = 1024 * 1024

const request = (payload: unknown, tag = "a/b", headers: ReadonlyArray<readonly [string, string]> = [["x", "y"]]) => ({
  _tag: "Request",
  id: 1,
  tag,
  payload,
  headers
})
const result = (value: unknown) => ({ _tag: "Exit", requestId: 7, exit: { _tag: "Success", value } })

/** What one end makes of what the other sends, message by message, and the head of each. */
const makeConnection = (limit = mebibyte) => {
  const split = Shapes.makeSplitter(limit)
  const expand = Shapes.makeExpander()
  return (message: unknown) => {
    const { attachments, head } = split(message)
    return { head, message: Frames.assemble(head, attachments, expand) }
  }
}

V8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = Vm.runInNewContext("gc")

const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("messages on a socket without their names", () => {
  it("name their fields once", () => {
    const pass = makeConnection()
    const first = pass(request({ label: "a", place: { x: 1, y: [2, 3] } }))
    const second = pass(request({ label: "b", place: { x: 4, y: [] } }))
    assert.include(first.head, "label")
    assert.deepStrictEqual(first.message, request({ label: "a", place: { x: 1, y: [2, 3] } }))
    assert.strictEqual(second.head, "[4,0,1,\"y\",\"b\",4,[]]")
    assert.deepStrictEqual(second.message, request({ label: "b", place: { x: 4, y: [] } }))
  })

  it("have their names where they hold bytes", () => {
    const pass = makeConnection()
    for (const data of [Uint8Array.of(1, 2), Uint8Array.of(3)]) {
      const { head, message } = pass(request({ data, label: "a" }))
      assert.include(head, "label")
      assert.deepStrictEqual(message, request({ data, label: "a" }))
    }
  })

  it("have their names in the first that may be too long to be sent, of which the other end learns no shape", () => {
    const pass = makeConnection(600)
    const long = request({ label: "a".repeat(500) })
    assert.deepStrictEqual(pass(long), { head: Frames.split(long).head, message: long })
    assert.strictEqual(pass(request({ label: "b" })).head, "[5,[\"a/b\",[\"x\"],[\"label\",0]],1,\"y\",\"b\"]")
    assert.strictEqual(pass(request({ label: "c" })).head, "[4,0,1,\"y\",\"c\"]")
  })

  it("are of a bounded number of shapes with a bounded number of names, and have their names beyond", () => {
    const pass = makeConnection()
    const heads = Array.from({ length: 100 }, (_, index) => {
      const message = request({ value: index }, `a/${index}`)
      assert.deepStrictEqual(pass(message).message, message)
      return pass(message).head
    })
    assert.strictEqual(heads.filter((head) => head.startsWith("[4,")).length, 64)
    const fields = (count: number, name: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, 0]))
    const large = Array.from({ length: 5 }, (_, index) => [`part${index}`, fields(60, "key")])
    for (const payload of [Object.fromEntries(large), fields(60, "k".repeat(80)), { ["__proto__"]: 1 }]) {
      const other = makeConnection()
      other(request(payload))
      assert.include(other(request(payload)).head, Object.keys(payload)[0]!)
    }
  })

  it.live("are not kept when they have been read", () =>
    Effect.gen(function*() {
      const expand = Shapes.makeExpander()
      const read = () => {
        const head = [5, ["a/b", [], 0], 1, [2]]
        assert.isDefined(expand(head))
        return new WeakRef(head)
      }
      const head = read()
      for (let turns = 0; turns < 50 && head.deref() !== undefined; turns++) {
        // Not in one turn with a look at it, which keeps it.
        yield* turn
        collectGarbage()
        yield* turn
      }
      assert.isUndefined(head.deref())
      assert.isDefined(expand([4, 0, 1, [2]]))
    }))

  it("arrive as JSON would have them, whatever comes before them", () => {
    const next = random(1)
    const pick = picker(next)
    let without = 0
    for (let connection = 0; connection < 200; connection++) {
      const pass = makeConnection(pick(200, mebibyte))
      for (let count = 0; count < 100; count++) {
        const sent = next() < 0.5 ? request(jsonValue(next, 2), pick("a/b", "a/c")) : result(jsonValue(next, 2))
        const { head, message } = pass(sent)
        if (head.startsWith("[4,")) without++
        assert.deepStrictEqual(message, asJson(sent))
      }
    }
    assert.isAbove(without, 2000)
  })
})

describe("heads that no honest end sends", () => {
  const shape = ["a/b", ["x"], ["label", 0]]
  const names = (count: number) => Array.from({ length: count }, (_, index) => [`key${index}`, 0]).flat()
  const nested = (depth: number): unknown => depth === 0 ? 0 : ["a", nested(depth - 1)]

  it("are no messages, and nothing is kept of them", () => {
    const expand = Shapes.makeExpander()
    const forged = [
      [4],
      [4, 0, 1],
      [4, -1, 1],
      [4, "length", 1],
      [4, "0", 1],
      [4, { valueOf: 0 }, 1],
      [5],
      [5, null, 1],
      [5, "abc", 1],
      [5, [null, []], 1],
      [5, [1, [], 0], 1, 2],
      [5, ["__proto__", [], 0], 1, 2],
      [5, [null, [1], 0], 1, 2, 3],
      [5, [null, "x", 0], 1, 2, 3],
      [5, [null, [], 1], 1],
      [5, [null, [], -0.5], 1, 2],
      [5, [null, [], ["a"]], 1, 2],
      [5, [null, [], ["a", 0, "b"]], 1, 2],
      [5, [null, [], [0, "a"]], 1, 2],
      [5, [null, [], ["__proto__", 0]], 1, 2],
      [5, [null, [], ["a", ["__proto__", 0]]], 1, 2],
      [5, [null, [], names(257)], 1, ...Array.from({ length: 257 }, () => 0)],
      [5, [null, [], ["a".repeat(4097), 0]], 1, 2],
      [5, ["a".repeat(4097), [], 0], 1, 2],
      [5, [null, [], nested(9)], 1, 2]
    ]
    for (const head of forged) assert.isUndefined(expand(head), JSON.stringify(head).slice(0, 100))
    assert.deepStrictEqual(expand([5, shape, 1, "y", "c"]), request({ label: "c" }))
    assert.deepStrictEqual(expand([4, 0, 1, "y", "c"]), request({ label: "c" }))
    for (const values of [[], ["y"], ["y", "c", "more"]]) assert.isUndefined(expand([4, 0, 1, ...values]))
  })

  it("have a connection remember so many shapes and no more", () => {
    const expand = Shapes.makeExpander()
    const defined = Array.from({ length: 100 }, (_, index) => expand([5, [`a/${index}`, [], 0], 1, 0]))
    assert.strictEqual(defined.filter((message) => message !== undefined).length, 64)
    assert.isDefined(expand([4, 63, 1, 0]))
    assert.isUndefined(expand([4, 64, 1, 0]))
  })

  it("are messages or nothing, 100,000 of them, and change no object but their own", () => {
    const next = random(3)
    const below = (limit: number) => Math.floor(next() * limit)
    const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
    const name = () => pick<unknown>(["__proto__", "constructor", "a", "b", "", "length", "toString", 0, null])
    const field = (depth: number): unknown =>
      depth === 0 || next() < 0.4
        ? pick<unknown>([0, 0, 0, 1, null])
        : Array.from({ length: below(7) }, (_, at) => at % 2 === 0 ? name() : field(depth - 1))
    const description = () => [name(), Array.from({ length: below(3) }, name), field(2)]
    const outcomes = { messages: 0, refused: 0 }
    for (let connection = 0; connection < 1000; connection++) {
      const expand = Shapes.makeExpander()
      for (let count = 0; count < 100; count++) {
        const which = next() < 0.5 ? [5, description()] : [4, next() < 0.9 ? below(4) : name()]
        const values = Array.from({ length: below(6) }, () => pick<unknown>([1, "x", null, { a: 1 }, []]))
        const message = expand([...which, 1, ...values])
        if (message === undefined) outcomes.refused++
        else {
          assert.include(["Request", "Exit"], Reflect.get(message, "_tag"))
          outcomes.messages++
        }
      }
    }
    assert.isAbove(outcomes.messages, 3000)
    assert.isAbove(outcomes.refused, 30_000)
    assert.deepStrictEqual(Object.keys(Object.prototype), [])
    assert.isFalse("a" in {} || "b" in {})
  })
})
