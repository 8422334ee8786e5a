import { Effect } from "effect"
import { apart, type Benchmark, format, median, ratioAtMost, type Series } from "./benchmark.ts"
import type { Reading } from "./ocr/reader.ts"
import { readers } from "./ocr/readers.ts"
import { characterErrors, samples } from "./ocr/samples.ts"

const paths = samples.map(({ path }) => path)

/**
 * The time of one pass over the pictures of the example, one at a time.
 *
 * A sample is one picture in one round: three rounds of all pictures, or fifteen in the full form. The figures are
 * the median, the least and the greatest time of a whole round.
 */
export const latency: Benchmark = {
  name: "ocr/latency",
  measures: "reading all samples one at a time by our OCR pipeline, over @gutenye/ocr-node on the same models",
  unit: "ms",
  target: ratioAtMost(0.6),
  run: Effect.fnUntraced(function*({ full }) {
    const { ours, peer } = yield* readers
    yield* ours("oneByOne", paths)
    yield* peer("oneByOne", paths.slice(0, 2))
    const our: Array<ReadonlyArray<Reading>> = []
    const their: Array<ReadonlyArray<Reading>> = []
    const readOurs = Effect.map(ours("oneByOne", paths), (readings) => our.push(readings))
    const readTheirs = Effect.map(peer("oneByOne", paths), (readings) => their.push(readings))
    for (let round = 0; round < (full ? 15 : 3); round++) {
      yield* Effect.all(round % 2 === 0 ? [readOurs, readTheirs] : [readTheirs, readOurs])
    }
    return apart(summary(our), summary(their), compare(our, their))
  }, Effect.orDie)
}

type Rounds = ReadonlyArray<ReadonlyArray<Reading>>

const millisOf = (rounds: Rounds, index: number): number => median(rounds.map((round) => round[index]!.millis))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)

const summary = (rounds: Rounds): Series => {
  const totals = rounds.map((round) => sum(round.map(({ millis }) => millis)))
  return {
    figure: median(totals),
    low: Math.min(...totals),
    high: Math.max(...totals),
    count: rounds.length * samples.length
  }
}

const compare = (our: Rounds, their: Rounds): ReadonlyArray<string> => {
  const pictures = samples.map((sample, index) => {
    const [ours, peer] = [millisOf(our, index), millisOf(their, index)]
    return {
      name: sample.name,
      ours,
      peer,
      ratio: ours / peer,
      length: sample.expected.length,
      errors: characterErrors(sample, our.at(-1)![index]!.text),
      peerErrors: characterErrors(sample, their.at(-1)![index]!.text)
    }
  })
  const slowest = pictures.toSorted((a, b) => b.peer - a.peer)[0]!
  const others = pictures.filter((picture) => picture !== slowest)
  const withoutSlowest = sum(others.map(({ ours }) => ours)) / sum(others.map(({ peer }) => peer))
  const slower = pictures.filter(({ ratio }) => ratio > 1).map(({ name }) => name)
  const worse = pictures.filter(({ errors, peerErrors }) => errors > peerErrors).map(({ name }) => name)
  const length = sum(pictures.map((picture) => picture.length))
  const errors = sum(pictures.map((picture) => picture.errors))
  const peerErrors = sum(pictures.map((picture) => picture.peerErrors))
  return [
    `median of the ratios of single pictures: ${format(median(pictures.map(({ ratio }) => ratio)))}`,
    `ratio of the totals without ${slowest.name}, which takes the peer longest: ${format(withoutSlowest)}`,
    `pictures on which ours is slower: ${slower.join(", ") || "none"}`,
    ...pictures.map(({ errors, length, name, ours, peer, peerErrors, ratio }) =>
      `  ${name.padEnd(12)} ${millis(ours)} ms, peer ${millis(peer)} ms, ratio ${format(ratio).padEnd(6)} ` +
      `characters wrong: ${rate(errors, length)}, peer ${rate(peerErrors, length)}`
    ),
    `characters wrong in total: ${rate(errors, length)}, peer ${rate(peerErrors, length)}; ours is ` +
    `${errors <= peerErrors ? "no worse" : "worse"} in total, and worse on ${worse.join(", ") || "no picture"}`
  ]
}

const millis = (millis: number): string => millis.toFixed(0).padStart(5)

const rate = (errors: number, length: number): string =>
  length === 0 ? `${errors} of none` : `${errors} of ${length} (${format(errors / length * 100)} %)`
