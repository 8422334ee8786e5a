import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "chorale"
import { Effect, Stream } from "effect"
import { Listener } from "../../../examples/voice/contracts.ts"
import { Live } from "../../../examples/voice/live.ts"
import { recording } from "../../../examples/voice/recording.ts"
import { noise, tone } from "../../../examples/voice/synthesis.ts"

const listen = (audio: Stream.Stream<Tensor.Tensor<"float32", 1>>) =>
  Effect.provide(Listener.use((listener) => Stream.runCollect(listener.listen({ audio }))), Live)

const pieces = (samples: Float32Array) =>
  Stream.make(Tensor.make("float32", [samples.length], Float32Array.from(samples)))

describe("the voice example", () => {
  it.live("hears both voices where they are, with their pitch, and neither the tone nor the noise", () =>
    Effect.gen(function*() {
      const heard = yield* listen(recording.pieces(320))
      const voices = recording.parts.filter(({ name }) => name.startsWith("a voice"))
      assert.strictEqual(heard.length, voices.length)
      heard.forEach(({ end, pitch, start }, index) => {
        const part = voices[index]
        assert.isDefined(part)
        assert.closeTo(start, part.start, 0.25)
        assert.closeTo(end, part.end, 0.25)
        assert.closeTo(pitch ?? NaN, Number(/\d+/.exec(part.name)?.[0]), 6)
      })
    }))

  it.live("hears the same whatever the size of the pieces", () =>
    Effect.gen(function*() {
      const [small, large] = yield* Effect.all([listen(recording.pieces(100)), listen(recording.pieces(16_000))])
      assert.deepStrictEqual(small, large)
    }))

  it.live("hears nobody where nobody speaks", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listen(pieces(noise(2, 9))), [])
      assert.deepStrictEqual(yield* listen(pieces(tone(2, 440))), [])
      assert.deepStrictEqual(yield* listen(Stream.empty), [])
    }))

  it.live("keeps apart what two callers say at once", () =>
    Effect.gen(function*() {
      const [spoken, silent] = yield* Effect.all([
        Listener.use((listener) => Stream.runCollect(listener.listen({ audio: recording.pieces(320) }))),
        Listener.use((listener) => Stream.runCollect(listener.listen({ audio: pieces(noise(4, 9)) })))
      ], { concurrency: "unbounded" })
      assert.strictEqual(spoken.length, 2)
      assert.deepStrictEqual(silent, [])
    }).pipe(Effect.provide(Live)))
})
