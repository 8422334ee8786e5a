/** The voice detector: Silero VAD, which remembers what it heard before in a state that goes in and comes out. */
import { Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect, Stream } from "effect"
import { fileURLToPath } from "node:url"
import { VoiceDetector } from "./contracts.ts"
import { frames } from "./frames.ts"
import { utterances } from "./utterances.ts"

/** Silero VAD v5 (MIT), in the package `@ricky0123/vad-web` (ISC). */
const modelPath = fileURLToPath(new URL("./silero_vad_v5.onnx", import.meta.resolve("@ricky0123/vad-web")))

/** Samples that the model hears at a time, and those before them that it hears once more. */
export const frameLength = 512
const overlap = 64

const sampleRate = Tensor.make("int64", [], BigInt64Array.of(16_000n))

const outputs = { output: Tensor.schema("float32", [1, 1]), stateN: Tensor.schema("float32", [2, 1, 128]) }

export const VoiceDetectorLive = VoiceDetector.toLayer(Effect.gen(function*() {
  const session = yield* Onnx.session(modelPath)

  /** How likely it is that somebody speaks in a frame, for each frame of a stream. */
  const probabilities = <E, R>(audio: Stream.Stream<Float32Array, E, R>) =>
    Stream.mapAccumEffect(
      audio,
      () => ({ state: Tensor.zeros("float32", [2, 1, 128]), before: new Float32Array(overlap) }),
      Effect.fnUntraced(function*({ before, state }, frame) {
        const input = Tensor.zeros("float32", [1, overlap + frameLength])
        input.data.set(before)
        input.data.set(frame, overlap)
        const { output, stateN } = yield* session.run({ input, state, sr: sampleRate }, outputs).pipe(
          Onnx.orUnavailable
        )
        const probability = output.data[0] ?? 0
        return [{ state: stateN, before: frame.slice(-overlap) }, [{ frame, probability }]] as const
      })
    )

  return {
    utterances: ({ audio }) => utterances(probabilities(frames(Stream.map(audio, ({ data }) => data), frameLength)))
  }
})).pipe(Resources.require({ cpu: 0.5, memory: "200 MiB" }))
