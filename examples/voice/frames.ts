/** Samples in pieces of one length, whatever the length of the pieces in which they come. */
import { Stream } from "effect"

/** Cuts a stream into frames; what is left over at its end is filled with silence. */
export const frames = <E, R>(
  audio: Stream.Stream<Float32Array, E, R>,
  length: number
): Stream.Stream<Float32Array, E, R> =>
  Stream.mapAccum(audio, (): Float32Array => new Float32Array(0), (rest, piece) => cut(join(rest, piece), length), {
    onHalt: (rest) => rest.length === 0 ? [] : [join(rest, new Float32Array(length - rest.length))]
  })

const cut = (samples: Float32Array, length: number): readonly [Float32Array, ReadonlyArray<Float32Array>] => {
  const whole = Math.floor(samples.length / length)
  const pieces = Array.from({ length: whole }, (_, index) => samples.slice(index * length, (index + 1) * length))
  return [samples.slice(whole * length), pieces]
}

/** One array with the samples of both. */
export const join = (first: Float32Array, second: Float32Array): Float32Array => {
  const joined = new Float32Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
