import { Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node"
import * as Fixture from "../test/fixtures/onnx.ts"
import { type Benchmark, format, interleave, inTurns, median, millisOf, quantile, ratioAtMost } from "./benchmark.ts"
import { start } from "./child.ts"
import type { Spinner } from "./spinner.ts"

const callMillis = 70

/** Two models on threads of their own, and the same two on the main thread beside it. */
export const overlap: Benchmark = {
  name: "onnx/overlap",
  measures: `two calls of ${callMillis} ms through two sessions at once, over the slower of the two alone`,
  unit: "ms",
  target: ratioAtMost(1.15),
  run: Effect.fnUntraced(function*() {
    const path = yield* Fixture.file(Fixture.spin())
    const x = Tensor.zeros("float32", Fixture.spinShape)
    const first = yield* Onnx.session(path)
    const second = yield* Onnx.session(path)
    const iterations = yield* calibrate((count) => first.run({ x, iterations: count }))
    const call = (session: Onnx.Session) => session.run({ x, iterations })

    const bytes = yield* Effect.promise(() => readFile(path))
    const onMainThread = yield* Effect.promise(async () => {
      const options = { intraOpNumThreads: 1, interOpNumThreads: 1 }
      const sessions = [await InferenceSession.create(bytes, options), await InferenceSession.create(bytes, options)]
      const feeds = {
        x: new OrtTensor("float32", x.data, Fixture.spinShape),
        iterations: new OrtTensor("int64", iterations.data, [1])
      }
      return sessions.map((session) => () => session.run(feeds))
    })

    const spinners = yield* Effect.all([start<Spinner>(spinner), start<Spinner>(spinner)])
    for (const spin of spinners) yield* spin("load", path)
    const bare = spinners.map((spin) => Effect.orDie(spin("run", iterations.data)))

    const samples = yield* interleave({
      first: millisOf(call(first)),
      together: millisOf(Effect.all([call(first), call(second)], { concurrency: "unbounded" })),
      second: millisOf(call(second)),
      mainAlone: millisOf(Effect.promise(() => onMainThread[0]!())),
      mainTogether: millisOf(Effect.promise(() => Promise.all(onMainThread.map((run) => run())))),
      bareAlone: millisOf(bare[0]!),
      bareTogether: millisOf(Effect.all(bare, { concurrency: "unbounded" }))
    }, { rounds: 25, warmup: 3 })

    const slower = median(samples.first) > median(samples.second) ? samples.first : samples.second
    const ratio = (together: ReadonlyArray<number>, alone: ReadonlyArray<number>) =>
      `${format(median(together) / median(alone))} (${format(median(together))} ms over ${format(median(alone))} ms)`
    return inTurns(samples.together, slower, [
      `on the main thread with Promise.all: ${ratio(samples.mainTogether, samples.mainAlone)}`,
      `in two processes without this library, which is what the machine had to give: ` +
      ratio(samples.bareTogether, samples.bareAlone),
      `the fastest sample over the fastest: ${format(quantile(samples.together, 0) / quantile(slower, 0))}`
    ])
  }, Effect.orDie)
}

const spinner = new URL("./spinner.ts", import.meta.url)

/** How many iterations make a call of `callMillis` here. */
const calibrate = Effect.fnUntraced(function*<E>(run: (count: Tensor.Tensor<"int64", 1>) => Effect.Effect<unknown, E>) {
  const probe = 1000
  const iterations = (count: number) => Tensor.make("int64", [1], BigInt64Array.of(BigInt(count)))
  const { alone } = yield* interleave({ alone: millisOf(run(iterations(probe))) }, { rounds: 7, warmup: 2 })
  return iterations(Math.round(probe * callMillis / quantile(alone, 0)))
})
