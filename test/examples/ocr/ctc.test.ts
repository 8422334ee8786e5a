/** From rows of probabilities to text. */
import { assert, describe, it } from "@effect/vitest"
import { decodeText, parseDictionary } from "../../../examples/ocr/ctc.ts"

const dictionary = parseDictionary("a\nb\nc\n")
const other = 0.02

/** A row for each character, `-` for the blank, that gives it the probability and the others 0.02 each. */
const steps = (characters: string, probability = 1 - other * (dictionary.length - 1)) =>
  Float32Array.from(
    [...characters].flatMap((character) =>
      dictionary.map((entry) => entry === (character === "-" ? "" : character) ? probability : other)
    )
  )

describe("parseDictionary", () => {
  it("puts the blank first and the space last, with or without a newline at the end of the file", () => {
    for (const text of ["a\nb\nc\n", "a\nb\nc", "a\r\nb\r\nc\r\n"]) {
      assert.deepStrictEqual(parseDictionary(text), ["", "a", "b", "c", " "])
    }
  })
})

describe("decodeText", () => {
  it("merges repeated characters, except those with a blank between them", () => {
    assert.strictEqual(decodeText(steps("aa--b"), dictionary).text, "ab")
    assert.strictEqual(decodeText(steps("a-ab"), dictionary).text, "aab")
    assert.strictEqual(decodeText(steps("-abba-"), dictionary).text, "aba")
  })

  it("keeps the spaces inside and leaves out those at the ends", () => {
    assert.strictEqual(decodeText(steps("- a- -b - "), dictionary).text, "a b")
  })

  it("reads nothing in blanks, with confidence 0", () => {
    assert.deepStrictEqual(decodeText(steps("----"), dictionary), { text: "", confidence: 0 })
    assert.deepStrictEqual(decodeText(new Float32Array(0), dictionary), { text: "", confidence: 0 })
  })

  it("takes the most probable character where none has a half, also when it is the last", () => {
    const rows = Float32Array.of(0.2, 0.1, 0.4, 0.25, 0.05, 0.1, 0.1, 0.1, 0.3, 0.4, 0.4, 0.1, 0.1, 0.3, 0.1)
    assert.strictEqual(decodeText(rows, dictionary).text, "b")
    assert.strictEqual(decodeText(Float32Array.from([...rows, ...steps("c")]), dictionary).text, "b c")
  })

  it("is as confident as the mean of the characters it keeps, blanks and repeats aside", () => {
    const rows = Float32Array.from([...steps("a", 0.9), ...steps("a", 0.6), ...steps("-", 0.55), ...steps("b", 0.7)])
    assert.closeTo(decodeText(rows, dictionary).confidence, 0.8, 1e-6)
  })
})
