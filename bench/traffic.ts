import { Deadline, Model, Traffic } from "chorale"
import { Context, Effect, FiberSet, Layer, Schema, Semaphore } from "effect"
import { Rpc } from "effect/rpc"
import { strictEqual } from "node:assert/strict"
import {
  type Benchmark,
  format,
  interleave,
  type Measured,
  microsPerCall,
  quantile,
  ratioAtLeast,
  ratioAtMost,
  series
} from "./benchmark.ts"

class Echo extends Model.Service<Echo>()("bench/Echo", [
  Rpc.make("echo", { payload: { id: Schema.Int }, success: Schema.Int })
]) {}

const EchoLive = Echo.toLayer({ echo: ({ id }) => Effect.succeed(id) })

const callsPerSample = 20_000

const measureCost = (limit: typeof EchoLive) =>
  Effect.gen(function*() {
    const bare = Context.get(yield* Layer.build(EchoLive), Echo)
    const limited = Context.get(yield* Layer.build(limit), Echo)
    const payload = { id: 1 }
    strictEqual(yield* limited.echo(payload), 1)
    const samples = yield* interleave({
      limited: microsPerCall(callsPerSample, () => limited.echo(payload)),
      bare: microsPerCall(callsPerSample, () => bare.echo(payload))
    }, { rounds: 41, warmup: 5 })
    return { value: series(samples.limited), baseline: series(samples.bare), notes: [] }
  }).pipe(Effect.orDie)

/** What a limit adds to a call that it lets in at once. */
export const limitCost: Benchmark = {
  name: "traffic/limit",
  measures: "a call of a service in this process behind a limit that is not reached, over the call without it",
  unit: "µs",
  target: ratioAtMost(1.5),
  run: () => measureCost(EchoLive.pipe(Traffic.limit({ concurrency: 8, queue: 64 })))
}

/** Calls at a time, and the milliseconds of each: 200 calls a second. */
const workers = 4
const serviceMillis = 20
const capacity = workers * 1000 / serviceMillis
const deadlineMillis = 500

interface Outcome {
  readonly tag: string
  readonly millis: number
}

/** A model that computes four calls at a time, and keeps those beyond waiting inside. */
const EchoSlow = Echo.toLayer(Effect.map(Semaphore.make(workers), (semaphore) => ({
  echo: ({ id }: { readonly id: number }) => Semaphore.withPermit(semaphore, Effect.as(Effect.sleep(serviceMillis), id))
})))

/** Calls at even distances, whatever becomes of those before them. */
const openLoop = (layer: typeof EchoSlow, rate: number, seconds: number) =>
  Effect.gen(function*() {
    const echo = Context.get(yield* Layer.build(layer), Echo)
    const calls = yield* FiberSet.make<void>()
    const outcomes: Array<Outcome> = []
    const call = (id: number) => {
      const begun = performance.now()
      const done = (tag: string) => outcomes.push({ tag, millis: performance.now() - begun })
      return Deadline.within(echo.echo({ id }), deadlineMillis).pipe(
        Effect.match({ onSuccess: () => done("answered"), onFailure: (error) => done(error.reason._tag) }),
        Effect.asVoid
      )
    }
    const begun = performance.now()
    for (let id = 0; id < rate * seconds;) {
      const due = Math.min(rate * seconds, Math.floor((performance.now() - begun) / 1000 * rate))
      while (id < due) yield* FiberSet.run(calls, call(id++))
      yield* Effect.sleep(1)
    }
    yield* FiberSet.awaitEmpty(calls)
    return outcomes
  }).pipe(Effect.scoped)

const millisOf = (tag: string, outcomes: ReadonlyArray<Outcome>) =>
  outcomes.filter((outcome) => outcome.tag === tag).map(({ millis }) => millis)

const report = (name: string, outcomes: ReadonlyArray<Outcome>, seconds: number): string => {
  const answered = millisOf("answered", outcomes)
  const refused = millisOf("Overloaded", outcomes)
  return `${name}: ${format(answered.length / seconds)} answered a second of ${format(outcomes.length / seconds)}, ` +
    (answered.length === 0 ? "" : `p99 ${format(quantile(answered, 0.99))} ms, `) +
    `${refused.length} refused` +
    (refused.length === 0 ? "" : ` within ${format(quantile(refused, 0.99))} ms (p99)`) +
    `, ${millisOf("DeadlineExceeded", outcomes).length} too late`
}

const measureOverload = (seconds: number): Effect.Effect<Measured> =>
  Effect.gen(function*() {
    const best = yield* openLoop(EchoSlow, 0.9 * capacity, seconds / 3)
    const limited = yield* openLoop(
      EchoSlow.pipe(Traffic.limit({ concurrency: workers, queue: 64 })),
      3 * capacity,
      seconds
    )
    const unlimited = yield* openLoop(EchoSlow, 3 * capacity, seconds)
    const goodput = (outcomes: ReadonlyArray<Outcome>, during: number) =>
      series([millisOf("answered", outcomes).length / during])
    return {
      value: goodput(limited, seconds),
      baseline: { ...goodput(best, seconds / 3), figure: capacity },
      notes: [
        report("at 90 % of the capacity", best, seconds / 3),
        report("at 3 times the capacity, with the limit", limited, seconds),
        report("at 3 times the capacity, without it", unlimited, seconds)
      ]
    }
  })

/** What is left of a model under three times the load that it can take. */
export const overload: Benchmark = {
  name: "traffic/overload",
  measures: "calls answered in time at 3 times the capacity behind a limit, over the capacity; every call has 500 ms",
  unit: "calls/s",
  target: ratioAtLeast(0.9),
  run: ({ full }) => measureOverload(full ? 120 : 30)
}
