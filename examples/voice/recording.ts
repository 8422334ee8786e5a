/** What the example listens to: two voices, and between them a tone and noise. */
import { Tensor } from "chorale"
import { Stream } from "effect"
import { join } from "./frames.ts"
import { noise, tone, voice } from "./synthesis.ts"

const sampleRate = 16_000

const sounds = [
  { name: "noise", samples: noise(0.8, 1) },
  { name: "a voice of 110 Hz", samples: voice(2, 110, 2) },
  { name: "noise", samples: noise(0.8, 3) },
  { name: "a tone of 440 Hz", samples: tone(1, 440) },
  { name: "noise", samples: noise(0.8, 4) },
  { name: "a voice of 200 Hz", samples: voice(2, 200, 5) },
  { name: "noise", samples: noise(0.8, 6) }
]

const starts = sounds.map((_, index) =>
  sounds.slice(0, index).reduce((sum, { samples }) => sum + samples.length, 0) / sampleRate
)

const samples = sounds.map(({ samples }) => samples).reduce(join)

/** The parts of the recording, in seconds, and its samples as they come from a microphone. */
export const recording = {
  parts: sounds.map(({ name, samples }, index) => {
    const start = starts[index] ?? 0
    return { name, start, end: start + samples.length / sampleRate }
  }),
  pieces: (length: number) =>
    Stream.range(0, Math.ceil(samples.length / length) - 1).pipe(
      Stream.map((index) => {
        const piece = samples.slice(index * length, (index + 1) * length)
        return Tensor.make("float32", [piece.length], piece)
      })
    )
}
