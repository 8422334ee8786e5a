/** From how likely it is that somebody speaks in each frame to the stretches in which somebody does. */
import { Tensor } from "chorale"
import { Stream } from "effect"
import type { Utterance } from "./contracts.ts"
import { join } from "./frames.ts"

/** A frame of 16 kHz audio, and how likely it is that somebody speaks in it. */
export interface Judged {
  readonly frame: Float32Array
  readonly probability: number
}

/** A voice begins above the one and goes on above the other, as the authors of the model advise. */
const begins = 0.5
const goesOn = 0.35

/** Frames of silence that end an utterance, and frames that it must have: 256 ms and 192 ms of 32 ms each. */
const pause = 8
const shortest = 6

interface State {
  readonly at: number
  readonly spoken: ReadonlyArray<Float32Array>
  /** How many frames at the end of `spoken` are silence. */
  readonly silent: number
}

const nothing = (at: number): State => ({ at, spoken: [], silent: 0 })

/** Gives each utterance once it is over. */
export const utterances = <E, R>(judged: Stream.Stream<Judged, E, R>): Stream.Stream<Utterance, E, R> =>
  Stream.mapAccum(judged, () => nothing(0), next, { onHalt: finish })

const next = (state: State, { frame, probability }: Judged): readonly [State, ReadonlyArray<Utterance>] => {
  const at = state.at + 1
  if (state.spoken.length === 0) {
    return [probability >= begins ? { at, spoken: [frame], silent: 0 } : nothing(at), []]
  }
  const silent = probability >= goesOn ? 0 : state.silent + 1
  const going = { at, spoken: [...state.spoken, frame], silent }
  return silent < pause ? [going, []] : [nothing(at), finish(going)]
}

const finish = ({ at, silent, spoken }: State): ReadonlyArray<Utterance> => {
  const voiced = spoken.slice(0, spoken.length - silent)
  if (voiced.length < shortest) return []
  const samples = voiced.reduce(join)
  const end = (at - silent) * samples.length / voiced.length / sampleRate
  return [{
    start: end - samples.length / sampleRate,
    end,
    samples: Tensor.make("float32", [samples.length], Float32Array.from(samples))
  }]
}

const sampleRate = 16_000
