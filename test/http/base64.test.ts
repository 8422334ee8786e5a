import { assert, describe, it } from "@effect/vitest"
import { Base64 as Reference } from "effect/encoding"
import * as Base64 from "../../src/http/base64.ts"
import { random } from "../fixtures/random.ts"

describe("base64", () => {
  it("is that of everybody, and comes back in memory of its own", () => {
    const next = random(3)
    for (let length = 0; length < 100; length++) {
      const bytes = Uint8Array.from({ length: length + 3 }, () => next() * 256).subarray(3)
      const text = Base64.encode(bytes)
      assert.strictEqual(text, Reference.encode(bytes))
      const decoded = Base64.decode(text)
      assert.deepStrictEqual(decoded, Uint8Array.from(bytes))
      assert.strictEqual(decoded?.buffer.byteLength, length)
    }
  })

  it("is nothing where a text is none", () => {
    for (const text of ["A", "AA", "AAA", "AAAAA", "====", "AA=A", "AA!A", "\u{e9}AAA", "AAA\u0000", "AAAA AAA"]) {
      assert.isUndefined(Base64.decode(text), JSON.stringify(text))
    }
    assert.deepStrictEqual(Base64.decode(""), new Uint8Array(0))
  })
})
