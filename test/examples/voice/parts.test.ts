import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { frames } from "../../../examples/voice/frames.ts"
import { pitchOf } from "../../../examples/voice/pitch.ts"
import { noise, tone, voice } from "../../../examples/voice/synthesis.ts"
import { utterances } from "../../../examples/voice/utterances.ts"

const cut = (lengths: ReadonlyArray<number>, length: number) => {
  let next = 0
  const pieces = lengths.map((size) => Float32Array.from({ length: size }, () => next++))
  return Stream.runCollect(frames(Stream.fromIterable(pieces), length))
}

describe("frames", () => {
  it.effect("have one length whatever comes, hold every sample once and in order, and end in silence", () =>
    Effect.gen(function*() {
      const cutFrames = yield* cut([3, 0, 5, 1, 1, 2], 4)
      assert.deepStrictEqual(cutFrames.map((frame) => Array.from(frame)), [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11]
      ])
      const last = yield* cut([5], 4)
      assert.deepStrictEqual(last.map((frame) => Array.from(frame)), [[0, 1, 2, 3], [4, 0, 0, 0]])
      assert.deepStrictEqual(yield* cut([], 4), [])
    }))
})

const heard = (probabilities: ReadonlyArray<number>) =>
  Stream.runCollect(
    utterances(Stream.fromIterable(probabilities.map((probability) => ({ frame: new Float32Array(512), probability }))))
  )

const times = (count: number, probability: number) => Array.from({ length: count }, () => probability)

describe("utterances", () => {
  it.effect("begin with a voice, go on through a short pause, and end with a long one", () =>
    Effect.gen(function*() {
      const found = yield* heard([
        ...times(10, 0),
        ...times(10, 0.9),
        ...times(7, 0.1),
        ...times(5, 0.4),
        ...times(8, 0)
      ])
      assert.strictEqual(found.length, 1)
      assert.closeTo(found[0]?.start ?? NaN, 10 * 0.032, 1e-9)
      assert.closeTo(found[0]?.end ?? NaN, 32 * 0.032, 1e-9)
      assert.strictEqual(found[0]?.samples.shape[0], 22 * 512)
    }))

  it.effect("are given when the audio ends in the middle of one", () =>
    Effect.map(heard(times(20, 0.9)), (found) => assert.strictEqual(found.length, 1)))

  it.effect("are not what is too short for a word", () =>
    Effect.map(heard([...times(5, 0.9), ...times(20, 0)]), (found) => assert.deepStrictEqual(found, [])))
})

describe("the pitch", () => {
  it("of a voice is found within three percent", () => {
    for (const hertz of [90, 110, 150, 200, 260]) {
      assert.closeTo(pitchOf(voice(1, hertz, hertz)) ?? NaN, hertz, 0.03 * hertz)
    }
  })

  it("of a tone is its own, or that of a period which fits", () => {
    assert.closeTo(pitchOf(tone(1, 300)) ?? NaN, 300, 3)
  })

  it("is none in noise and in silence", () => {
    assert.isUndefined(pitchOf(noise(1, 1)))
    assert.isUndefined(pitchOf(new Float32Array(16_000)))
  })
})
