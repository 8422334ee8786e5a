import { Effect } from "effect"
import { apart, type Benchmark, format, median, type Series, valueAtMost } from "./benchmark.ts"
import type { LoopDelay } from "./ocr/reader.ts"
import { readers } from "./ocr/readers.ts"
import { samples } from "./ocr/samples.ts"

const paths = samples.map(({ path }) => path)
const seconds = 6

/**
 * How long the event loop stands still while pictures are read.
 *
 * A sample is one turn of a timer of one millisecond; there are thousands in each of our periods of load. A period of
 * the peer lasts until the slowest picture is read.
 */
export const loopDelay: Benchmark = {
  name: "onnx/loop-delay",
  measures:
    "p99 of the event loop's delay while our OCR pipeline reads all samples at once, over that of @gutenye/ocr-node",
  unit: "ms",
  target: valueAtMost(10),
  run: Effect.fnUntraced(function*() {
    const { ours, peer } = yield* readers
    yield* ours("oneByOne", paths)
    yield* ours("allAtOnce", paths)
    yield* peer("oneByOne", [paths[0]!])
    const our: Array<LoopDelay> = []
    const their: Array<LoopDelay> = []
    for (let period = 0; period < 3; period++) {
      our.push(yield* ours("load", { paths, seconds }))
      if (period < 2) their.push(yield* peer("load", { paths, seconds }))
    }
    return apart(summary(our), summary(their), [`ours: ${describe(our)}`, `peer: ${describe(their)}`])
  }, Effect.orDie)
}

/** The median of the p99 of the periods, the lowest and the highest. */
const summary = (periods: ReadonlyArray<LoopDelay>): Series => {
  const delays = periods.map(({ p99 }) => p99)
  return {
    figure: median(delays),
    low: Math.min(...delays),
    high: Math.max(...delays),
    count: periods.reduce((sum, { ticks }) => sum + ticks, 0)
  }
}

const describe = (periods: ReadonlyArray<LoopDelay>): string => {
  const all = periods.map(({ max, p50, p99, pictures, seconds }) =>
    `p50 ${format(p50)}, p99 ${format(p99)}, max ${format(max)} (${pictures} pictures in ${format(seconds)} s)`
  )
  return `${periods.length} periods: ${all.join("; ")}`
}
