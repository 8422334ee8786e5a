import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestConsole } from "effect/testing"
import { readFileSync } from "node:fs"
import { accuracies, AllInOne, program } from "../../../examples/ensemble/main.ts"
import { heldOut, training, validation } from "../../../examples/ensemble/pictures.ts"
import { train } from "../../../examples/ensemble/train.ts"

/** The weights of the hidden layer: the bytes after their name, a tag and a length of two bytes. */
const hiddenWeights = (file: Buffer): Float32Array => {
  const start = file.lastIndexOf("hidden.weights") + "hidden.weights".length + 3
  return Float32Array.from({ length: 64 * 32 }, (_, index) => file.readFloatLE(start + 4 * index))
}

describe("the ensemble of classifiers", () => {
  it.live("is right more often than each of its members, on pictures that none has seen", () =>
    Effect.gen(function*() {
      const parts = yield* accuracies
      const members = { network: 0.879, neighbours: 0.896, bayes: 0.882 }
      assert.approximately(parts.network, members.network, 0.002)
      assert.approximately(parts.neighbours, members.neighbours, 0.002)
      assert.approximately(parts.bayes, members.bayes, 0.002)
      assert.approximately(parts.majority, 0.917, 0.002)
      assert.approximately(parts.weighted, 0.919, 0.002)
    }).pipe(Effect.provide(AllInOne)))

  it.live("prints how often each of them is right", () =>
    Effect.gen(function*() {
      yield* program
      const [title, ...lines] = yield* TestConsole.logLines
      assert.strictEqual(title, "Right on 1000 held-out pictures:")
      assert.lengthOf(lines, 5)
      for (const line of lines) assert.match(String(line), /^ {2}\w+ +\d\d\.\d %$/)
    }).pipe(Effect.provide(TestConsole.layer)))

  it("is judged by pictures that are in no other set, the same in every run", () => {
    const seen = new Set([...training(), ...validation()].map(({ picture }) => picture.data.join()))
    assert.isFalse(heldOut().some(({ picture }) => seen.has(picture.data.join())))
    assert.deepStrictEqual(heldOut(), heldOut())
  })

  it("has the network that its script learns, in a small file", () => {
    const file = readFileSync(new URL("../../../examples/ensemble/network.onnx", import.meta.url))
    const learnt = hiddenWeights(Buffer.from(train()))
    assert.isBelow(file.length, 50_000)
    for (const [index, weight] of hiddenWeights(file).entries()) assert.approximately(weight, learnt[index]!, 1e-3)
  })
})
