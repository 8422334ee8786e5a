import { Ensemble } from "chorale"
import { Effect } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, interleave, inTurns, microsPerCall, millisOf, ratioAtMost } from "./benchmark.ts"

/** What waits for a model elsewhere: it takes time, and no work. */
const wait = (millis: number) => Effect.as(Effect.sleep(millis), millis)

const overSleep = Effect.fnUntraced(function*(
  members: Readonly<Record<string, Effect.Effect<number>>>,
  longest: number,
  rounds: number
) {
  deepStrictEqual(Object.keys(yield* Ensemble.all(members)), Object.keys(members))
  const samples = yield* interleave({
    ours: millisOf(Ensemble.all(members)),
    bare: millisOf(Effect.promise(() => new Promise((resolve) => setTimeout(resolve, longest))))
  }, { rounds, warmup: 2 })
  return inTurns(samples.ours, samples.bare)
})

/** Two models that wait, together. */
export const io: Benchmark = {
  name: "ensemble/io",
  measures: "two members that wait 100 and 150 ms over one timer of 150 ms",
  unit: "ms",
  target: ratioAtMost(1.02),
  run: () => overSleep({ short: wait(100), long: wait(150) }, 150, 15)
}

/** Many models that wait, together. */
export const io64: Benchmark = {
  name: "ensemble/io-64",
  measures: "64 members that wait from 87 to 150 ms over one timer of 150 ms",
  unit: "ms",
  target: ratioAtMost(1.05),
  run: () =>
    overSleep(Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`m${index}`, wait(87 + index)])), 150, 15)
}

const width = 512
const ensembles = 50

/**
 * A call as one writes it, of something that answers in the next turn of the event loop: no call out of this thread is
 * faster.
 */
const call = async (value: number) => {
  const answer = await new Promise<number>((resolve) => setImmediate(resolve, value))
  return answer
}

/** What an ensemble adds to each of its members. */
export const fanout512: Benchmark = {
  name: "ensemble/fanout-512",
  measures: "512 members that are answered in the next turn of the event loop, over Promise.all of the same",
  unit: "µs",
  target: ratioAtMost(3),
  run: Effect.fnUntraced(function*() {
    const indices = Array.from({ length: width }, (_, index) => index)
    const ours = Ensemble.all(
      Object.fromEntries(indices.map((index) => [`m${index}`, Effect.promise(() => call(index))]))
    )
    const bare = Effect.promise(() => Promise.all(indices.map(call)))
    deepStrictEqual(Object.values(yield* ours), yield* bare)
    const samples = yield* interleave({
      ours: microsPerCall(ensembles, () => ours),
      bare: microsPerCall(ensembles, () => bare)
    }, { rounds: 41, warmup: 10 })
    return inTurns(samples.ours, samples.bare)
  })
}
