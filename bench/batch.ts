import { Batch, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Duration, Effect, Fiber } from "effect"
import { ok } from "node:assert/strict"
import { mlp } from "../examples/batching/mlp.ts"
import * as Fixture from "../test/fixtures/onnx.ts"
import {
  apart,
  type Benchmark,
  describe,
  format,
  interleave,
  inTurns,
  median,
  medianMillis,
  microsPerCall,
  millisOf,
  ratioAtLeast,
  ratioAtMost,
  series,
  verdict
} from "./benchmark.ts"

const width = 1024
const Vector = Tensor.schema("float32", ["batch", width])
type Feeds = { readonly x: Tensor.Tensor<"float32", 2> }

const rows = (count: number) =>
  Tensor.make("float32", [count, width], Float32Array.from({ length: count * width }, (_, index) => index % 7 / 7))

/** Four layers of 1024, some 0.15 ms for one row and a third of that for each further one. */
const session = Effect.flatMap(Fixture.file(mlp(width, 4)), (path) => Onnx.session(path, { replicas: 1 }))

const callers = 64

const callsPerSample = 3200

/** So many calls by the callers together, each of which calls again when it is answered. */
const closedLoop = <A, E>(callers: number, calls: number, call: () => Effect.Effect<A, E>) => {
  const caller = Effect.fnUntraced(function*() {
    for (let done = 0; done < calls / callers; done++) yield* call()
  })
  return Effect.all(Array.from({ length: callers }, caller), { concurrency: "unbounded", discard: true })
}

/** Calls a millisecond. */
const rate = <A, E>(calls: number, effect: Effect.Effect<A, E>) =>
  Effect.map(millisOf(effect), (millis) => calls / millis)

/** Collects exactly so many rows, runs them and cuts up what comes: what a team writes by hand. */
const fixedSize = (size: number, run: (x: Float32Array) => Promise<Float32Array>) => {
  type Waiting = { readonly row: Float32Array; readonly resolve: (row: Float32Array | Promise<never>) => void }
  let waiting: Array<Waiting> = []
  return (row: Float32Array) =>
    new Promise<Float32Array>((resolve) => {
      waiting.push({ row, resolve })
      if (waiting.length < size) return
      const batch = waiting
      waiting = []
      const x = new Float32Array(size * width)
      batch.forEach(({ row }, index) => x.set(row, index * width))
      run(x).then(
        (y) => batch.forEach(({ resolve }, index) => resolve(y.slice(index * width, (index + 1) * width))),
        (cause) => batch.forEach(({ resolve }) => resolve(Promise.reject(cause)))
      )
    })
}

const runByHand = (model: Onnx.Session) => async (data: Float32Array) => {
  const x = Tensor.make("float32", [data.length / width, width], data)
  return (await Effect.runPromise(model.run({ x }, { y: Vector }))).y.data
}

/** What batching reaches, against the best size that a hand-written batch of a fixed size could have. */
export const throughput: Benchmark = {
  name: "batch/throughput",
  measures: `calls a millisecond of an MLP under ${callers} callers through Batch.tensors in the better of two ` +
    `settings, over a hand-written batch of the best fixed size found`,
  unit: "1/ms",
  target: ratioAtLeast(0.95),
  run: Effect.fnUntraced(function*() {
    const model = yield* session
    const run = (feeds: Feeds) => model.run(feeds, { y: Vector })
    const one = { x: rows(1) }
    // Two for one replica, so that one run is stacked and waits while the other computes.
    const batched = yield* Batch.tensors({ run, maxSize: callers / 2, executors: 2, free: true })
    // As many as there are: better where the model gains more by a larger run than by one that is ready.
    const whole = yield* Batch.tensors({ run, maxSize: callers, free: true })
    const expected = (yield* run(one)).y.data
    const [first, second] = yield* Effect.all([batched(one), batched(one)], { concurrency: 2 })
    for (const { y } of [first, second]) {
      for (const [index, value] of y.data.entries()) ok(Math.abs(value - expected[index]!) < 1e-3)
    }

    const fixed = (size: number) => {
      const call = fixedSize(size, runByHand(model))
      const caller = async () => {
        for (let done = 0; done < callsPerSample / callers; done++) await call(one.x.data)
      }
      return rate(callsPerSample, Effect.promise(() => Promise.all(Array.from({ length: callers }, caller))))
    }
    const stacked = { x: rows(callers / 2) }
    const samples = yield* interleave({
      halves: rate(callsPerSample, closedLoop(callers, callsPerSample, () => batched(one))),
      whole: rate(callsPerSample, closedLoop(callers, callsPerSample, () => whole(one))),
      fixed8: fixed(8),
      fixed16: fixed(16),
      fixed32: fixed(32),
      fixed64: fixed(64),
      stacked: rate(callsPerSample, closedLoop(2, callsPerSample / (callers / 2), () => run(stacked))),
      alone: rate(callsPerSample / 4, closedLoop(callers, callsPerSample / 4, () => run(one)))
    }, { rounds: 21, warmup: 3 })
    const { alone, halves, stacked: ceiling, whole: wholes, ...sizes } = samples
    const fastest = (found: ReadonlyArray<ReadonlyArray<number>>) =>
      found.reduce((best, other) => median(other) > median(best) ? other : best)
    const best = fastest(Object.values(sizes))
    const ours = fastest([halves, wholes])
    const { meanSize } = yield* batched.stats
    const gain = median(ours) / median(alone)
    return inTurns(ours, best, [
      `over a run for each call: ${format(gain)}, ratio >= 3: ${verdict(gain >= 3)}; such are ` +
      `${describe(series(alone))} a millisecond`,
      ...Object.entries(sizes).map(([size, found]) => `${size}: ${describe(series(found))} a millisecond`),
      `runs of ${callers / 2} rows that nobody stacks, cuts or waits for: ${describe(series(ceiling))} a millisecond`,
      `ours in two runs of ${callers / 2}: ${describe(series(halves))}, with ${format(meanSize)} calls on average`,
      `ours in one run of ${callers}: ${describe(series(wholes))}`
    ])
  }, Effect.orDie)
}

const perItem = 0.5
const perRun = 10

/** The milliseconds that a run of the simulated model takes. */
const ideal = (items: number) => perRun + perItem * items

const simulated = (items: ReadonlyArray<number>) => Effect.as(Effect.sleep(Duration.millis(ideal(items.length))), items)

const numbersOfCallers = [1, 8, 16, 32] as const

/** What callers wait when they come at the same time. */
export const closedLoopLatency: Benchmark = {
  name: "batch/closed-loop",
  measures: `p50 of a call of a model that takes ${perRun} ms and ${perItem} ms an item, over that time, with ` +
    `the worst of ${numbersOfCallers.join(", ")} callers`,
  unit: "ms",
  target: ratioAtMost(1.1),
  run: Effect.fnUntraced(function*() {
    const call = yield* Batch.make({ run: simulated })
    const p50 = (callers: number) =>
      Effect.map(
        Effect.all(Array.from({ length: callers }, () => medianMillis(15, () => call(1))), {
          concurrency: "unbounded"
        }),
        median
      )
    const { timer, ...samples } = yield* interleave({
      timer: medianMillis(5, () => Effect.sleep(Duration.millis(ideal(16)))),
      callers1: p50(1),
      callers8: p50(8),
      callers16: p50(16),
      callers32: p50(32)
    }, { rounds: 15, warmup: 2 })
    const sides = numbersOfCallers.map((callers) => {
      const exact = ideal(callers)
      const value = series(samples[`callers${callers}`])
      return { callers, value, baseline: { figure: exact, low: exact, high: exact, count: value.count } }
    })
    const ratio = ({ baseline, value }: (typeof sides)[number]) => value.figure / baseline.figure
    const worst = sides.reduce((worst, side) => ratio(side) > ratio(worst) ? side : worst)
    return apart(worst.value, worst.baseline, [
      ...sides.map((side) => `${side.callers} callers: ${format(ratio(side))}, ${describe(side.value)} ms`),
      `a bare timer over its time: ${format(median(timer) / ideal(16))}, ${describe(series(timer))} ms`
    ])
  }, Effect.orDie)
}

/** What callers wait who come at random and do not wait for each other. */
export const openLoopLatency: Benchmark = {
  name: "batch/open-loop",
  measures: "p50 of calls that arrive at random, at 30 % of what that model can do in runs of 32, over a lone call",
  unit: "ms",
  target: ratioAtMost(2),
  run: Effect.fnUntraced(function*() {
    const call = yield* Batch.make({ run: simulated })
    const perMilli = 0.3 * 32 / ideal(32)
    const poisson = Effect.gen(function*() {
      const calls: Array<Fiber.Fiber<number, unknown>> = []
      const start = performance.now()
      for (let arrival = 0; arrival < 1000;) {
        arrival -= Math.log(1 - Math.random()) / perMilli
        const wait = start + arrival - performance.now()
        if (wait > 0) yield* Effect.sleep(Duration.millis(wait))
        calls.push(yield* Effect.forkChild(millisOf(call(1)), { startImmediately: true }))
      }
      return median(yield* Effect.forEach(calls, (fiber) => Fiber.join(fiber)))
    })
    const samples = yield* interleave({
      lone: medianMillis(9, () => call(1)),
      poisson
    }, { rounds: 15, warmup: 2 })
    return inTurns(samples.poisson, samples.lone)
  }, Effect.orDie)
}

/** What batching costs who is alone. */
export const idleLatency: Benchmark = {
  name: "batch/latency-idle",
  measures: "a call of the MLP by one lone caller through Batch.tensors, over the same call of the session",
  unit: "µs",
  target: ratioAtMost(1.1),
  run: Effect.fnUntraced(function*() {
    const model = yield* session
    const run = (feeds: Feeds) => model.run(feeds, { y: Vector })
    const batched = yield* Batch.tensors({ run })
    const one = { x: rows(1) }
    const samples = yield* interleave({
      batched: microsPerCall(500, () => batched(one)),
      bare: microsPerCall(500, () => run(one))
    }, { rounds: 41, warmup: 5 })
    return inTurns(samples.batched, samples.bare)
  }, Effect.orDie)
}
