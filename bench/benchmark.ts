/** What a benchmark is, and how its samples are taken and summed up. */
import { Effect, Record, type Scope } from "effect"
import * as v8 from "node:v8"
import { runInNewContext } from "node:vm"

/** A comparison of this library with a baseline that is measured in the same run. */
export interface Benchmark {
  readonly name: string
  /** One sentence: what is divided by what. */
  readonly measures: string
  /** Of the value and of the baseline. */
  readonly unit: string
  readonly target: Target | null
  /** Runs in a process of its own, on which nothing else has left a trace. */
  readonly run: (options: Options) => Effect.Effect<Measured, never, Scope.Scope>
}

/** The ratio or, where the target is absolute, the value itself stays on one side of a limit. */
export interface Target {
  readonly of: "ratio" | "value"
  readonly bound: "<=" | ">="
  readonly limit: number
}

/** With `full`, benchmarks that are shortened for want of time run in their long form. */
export interface Options {
  readonly full: boolean
}

/** What a run gives: both sides, the one over the other, and lines that belong beside them. */
export interface Measured {
  readonly value: Series
  readonly baseline: Series
  readonly ratio: Series
  readonly notes: ReadonlyArray<string>
}

/** The samples of one side: what stands for them, between which it varied, and how many there are. */
export interface Series {
  readonly figure: number
  readonly low: number
  readonly high: number
  readonly count: number
}

export const ratioAtMost = (limit: number): Target => ({ of: "ratio", bound: "<=", limit })

export const ratioAtLeast = (limit: number): Target => ({ of: "ratio", bound: ">=", limit })

export const valueAtMost = (limit: number): Target => ({ of: "value", bound: "<=", limit })

/** The value below which that part of the samples lies, between the two nearest where it is none of them. */
export const quantile = (samples: ReadonlyArray<number>, part: number): number => {
  const sorted = samples.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * part
  const below = sorted[Math.floor(position)]!
  return below + (sorted[Math.ceil(position)]! - below) * (position - Math.floor(position))
}

export const median = (samples: ReadonlyArray<number>): number => quantile(samples, 0.5)

/** The median and the quartiles. */
export const series = (samples: ReadonlyArray<number>): Series => ({
  figure: median(samples),
  low: quantile(samples, 0.25),
  high: quantile(samples, 0.75),
  count: samples.length
})

/**
 * Sums up two sides whose samples were taken in turns.
 *
 * Their ratio is the median of the ratios of each turn. What slows a machine for some seconds slows both samples of a
 * turn, but it may fall on the median of one side and not on that of the other.
 */
export const inTurns = (
  value: ReadonlyArray<number>,
  baseline: ReadonlyArray<number>,
  notes: ReadonlyArray<string> = []
): Measured => ({
  value: series(value),
  baseline: series(baseline),
  ratio: series(value.map((sample, turn) => sample / baseline[turn]!)),
  notes
})

/** Sums up two sides that were not measured in turns, whose ratio is that of their figures. */
export const apart = (value: Series, baseline: Series, notes: ReadonlyArray<string>): Measured => ({
  value,
  baseline,
  ratio: series([value.figure / baseline.figure]),
  notes
})

/**
 * Samples of several sides, taken in turns so that all of them see the same machine.
 *
 * The first side begins every other round and the last side the rounds between. The samples of `warmup` rounds are
 * thrown away. Garbage is collected before each sample, so that no side pays for the buffers that another left.
 */
export const interleave = Effect.fnUntraced(function*<Side extends string, E, R>(
  sides: Readonly<Record<Side, Effect.Effect<number, E, R>>>,
  { rounds, warmup }: { readonly rounds: number; readonly warmup: number }
) {
  const names = Record.keys(sides)
  const taken = Record.map(sides, () => new Array<number>())
  for (let round = -warmup; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      collectGarbage()
      const sample = yield* sides[name]
      if (round >= 0) taken[name].push(sample)
    }
  }
  return taken
})

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

/** The milliseconds that an effect takes. */
export const millisOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.map(effect, () => performance.now() - start)
  })

/** The mean microseconds of one of so many calls, one after another. */
export const microsPerCall = <A, E, R>(
  calls: number,
  call: () => Effect.Effect<A, E, R>
): Effect.Effect<number, E, R> => Effect.map(millisOf(repeat(calls, call)), (millis) => millis / calls * 1000)

const repeat = Effect.fnUntraced(function*<A, E, R>(calls: number, call: () => Effect.Effect<A, E, R>) {
  for (let done = 0; done < calls; done++) yield* call()
})

/** The median milliseconds of so many calls, each timed by itself. */
export const medianMillis = Effect.fnUntraced(function*<A, E, R>(calls: number, call: () => Effect.Effect<A, E, R>) {
  const samples: Array<number> = []
  for (let done = 0; done < calls; done++) {
    const start = performance.now()
    yield* call()
    samples.push(performance.now() - start)
  }
  return median(samples)
})

/** What stands for the samples, and between which quartiles they lie. */
export const describe = ({ figure, high, low }: Series): string => `${format(figure)} (${format(low)}..${format(high)})`

/** Whether a target was met, for one that is beside that of the benchmark. */
export const verdict = (isMet: boolean): string => isMet ? "met" : "MISSED"

/** A number with as many digits as tell something. */
export const format = (number: number): string =>
  number.toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: false })
