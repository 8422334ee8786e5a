/** Rows from top to bottom, each from left to right. */
import { assert, describe, it } from "@effect/vitest"
import type { Corners, Point } from "../../../examples/ocr/crop.ts"
import { readingOrder } from "../../../examples/ocr/order.ts"

type Word = { readonly text: string; readonly corners: Corners; readonly turned?: boolean }

const word = (text: string, x: number, y: number, width = 100, height = 20): Word => ({
  text,
  corners: [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
})

const rotate = (degrees: number) => (item: Word): Word => {
  const cos = Math.cos(degrees * Math.PI / 180)
  const sin = Math.sin(degrees * Math.PI / 180)
  const at = ([x, y]: Point): Point => [x * cos - y * sin, x * sin + y * cos]
  const [a, b, c, d] = item.corners
  return { ...item, corners: [at(a), at(b), at(c), at(d)] }
}

const upsideDown = (item: Word): Word => ({ ...item, turned: true })

const read = (words: ReadonlyArray<Word>) => readingOrder(words).map((row) => row.map((item) => item.text).join(" "))

describe("readingOrder", () => {
  const receipt = [word("9.80", 400, 52), word("milk", 0, 90), word("bread", 0, 50), word("1.20", 400, 88)]

  it("nothing has no rows", () => {
    assert.deepStrictEqual(readingOrder([]), [])
  })

  it("boxes beside each other share a row, left to right, and rows go from top to bottom", () => {
    assert.deepStrictEqual(read(receipt), ["bread 9.80", "milk 1.20"])
  })

  it("rows stay together when the whole picture is askew, though their ends are further apart than two rows", () => {
    for (const degrees of [-12, -5, 5, 12]) {
      assert.deepStrictEqual(read(receipt.map(rotate(degrees))), ["bread 9.80", "milk 1.20"])
    }
  })

  it("a small box beside a high one is in its row, and one that only touches it is not", () => {
    assert.deepStrictEqual(read([word("small", 120, 30, 50, 10), word("LARGE", 0, 0, 100, 60)]), ["LARGE small"])
    assert.deepStrictEqual(read([word("below", 120, 55, 50, 20), word("LARGE", 0, 0, 100, 60)]), ["LARGE", "below"])
  })

  it("dense rows that overlap a little are kept apart", () => {
    const dense = Array.from({ length: 20 }, (_, index) => word(String(index), 0, index * 16))
    assert.deepStrictEqual(read(dense.toReversed()), dense.map((line) => line.text))
  })

  it("upside-down rows are read from the bottom right, the upright ones around them as they are", () => {
    const block = [word("4", 0, 100), word("3", 200, 100), word("2", 0, 150), word("1", 200, 150)].map(upsideDown)
    assert.deepStrictEqual(read(block), ["1 2", "3 4"])
    assert.deepStrictEqual(read([word("before", 0, 0), ...block, word("after", 0, 200)]), [
      "before",
      "1 2",
      "3 4",
      "after"
    ])
  })
})
