/** The pitch estimator: plain TypeScript, because not every member of a pipeline is a network. */
import { Resources } from "chorale"
import { Effect } from "effect"
import { PitchEstimator, Unvoiced } from "./contracts.ts"

const sampleRate = 16_000

/** Voices are between these, in hertz. */
const lowest = 60
const highest = 400

/** 48 ms: three periods of the lowest voice. */
const windowLength = 768

/** How alike a window and itself one period later must be, from 0 to 1. */
const alike = 0.6

/** The median pitch over the windows that repeat themselves; `undefined` where none does. */
export const pitchOf = (samples: Float32Array): number | undefined => {
  const found: Array<number> = []
  for (let start = 0; start + 2 * windowLength <= samples.length; start += windowLength) {
    const period = periodAt(samples, start)
    if (period !== undefined) found.push(sampleRate / period)
  }
  return found.toSorted((a, b) => a - b)[Math.floor(found.length / 2)]
}

/** The shortest distance at which the window is nearly as much like itself as it is anywhere. */
const periodAt = (samples: Float32Array, start: number): number | undefined => {
  const first = Math.floor(sampleRate / highest)
  const likeness = Array.from(
    { length: Math.ceil(sampleRate / lowest) - first },
    (_, index) => correlation(samples, start, first + index)
  )
  const best = Math.max(...likeness)
  if (best < alike) return undefined
  const index = likeness.findIndex((value, index) =>
    value > 0.9 * best && value >= (likeness[index - 1] ?? 0) && value >= (likeness[index + 1] ?? 0)
  )
  return index < 0 ? undefined : first + index
}

/** The normalised cross-correlation of a window with the one that begins `lag` samples later. */
const correlation = (samples: Float32Array, start: number, lag: number): number => {
  let product = 0
  let energy = 0
  let energyLater = 0
  for (let index = start; index < start + windowLength; index++) {
    const sample = samples[index] ?? 0
    const later = samples[index + lag] ?? 0
    product += sample * later
    energy += sample * sample
    energyLater += later * later
  }
  return energy * energyLater === 0 ? 0 : product / Math.sqrt(energy * energyLater)
}

export const PitchEstimatorLive = PitchEstimator.toLayer({
  estimate: ({ samples }) =>
    Effect.suspend(() => {
      const pitch = pitchOf(samples.data)
      return pitch === undefined ? Effect.fail(new Unvoiced()) : Effect.succeed(pitch)
    })
}).pipe(Resources.require({ cpu: 0.2, memory: "20 MiB" }))
