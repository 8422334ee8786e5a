import { assert, describe, it } from "@effect/vitest"
import { CallMap } from "../../src/internal/callMap.ts"

describe("the calls in flight", () => {
  it("are those that were set and not deleted, in their order", () => {
    const calls = new CallMap<string | number, string>()
    assert.strictEqual(calls.size, 0)
    assert.deepStrictEqual(calls.entries(), [])
    calls.set("b", "first")
    calls.set(1, "second")
    calls.set("c", "third")
    assert.isTrue(calls.delete(1))
    assert.isFalse(calls.delete(1))
    assert.isFalse(calls.has(1))
    assert.isTrue(calls.has("b"))
    assert.strictEqual(calls.get("c"), "third")
    assert.isUndefined(calls.get(1))
    assert.strictEqual(calls.size, 2)
    assert.deepStrictEqual(calls.entries(), [["b", "first"], ["c", "third"]])
  })

  it("may be deleted while they are looked through", () => {
    const calls = new CallMap<number, string>()
    for (const id of [1, 2, 3]) calls.set(id, `call ${id}`)
    for (const [id] of calls.entries()) calls.delete(id)
    assert.strictEqual(calls.size, 0)
  })

  it("are none after they were cleared, and may come again", () => {
    const calls = new CallMap<number, string>()
    calls.set(1, "a")
    calls.clear()
    assert.strictEqual(calls.size, 0)
    assert.deepStrictEqual(calls.entries(), [])
    calls.set(2, "b")
    assert.deepStrictEqual(calls.entries(), [[2, "b"]])
  })
})
