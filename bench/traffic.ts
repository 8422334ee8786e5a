import { Deadline, Model, Traffic } from "chorale"
import { Context, Effect, FiberSet, Layer, Schema, type Scope, Semaphore } from "effect"
import { Rpc } from "effect/rpc"
import { strictEqual } from "node:assert/strict"
import {
  apart,
  type Benchmark,
  describe,
  format,
  interleave,
  inTurns,
  type Measured,
  microsPerCall,
  quantile,
  ratioAtLeast,
  ratioAtMost,
  series,
  verdict
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
    return inTurns(samples.limited, samples.bare)
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
  /** When it came about, in milliseconds after the load began. */
  readonly at: number
}

/** A model that computes four calls at a time, and keeps those beyond waiting inside. */
const EchoSlow = Echo.toLayer(Effect.map(Semaphore.make(workers), (semaphore) => ({
  echo: ({ id }: { readonly id: number }) => Semaphore.withPermit(semaphore, Effect.as(Effect.sleep(serviceMillis), id))
})))

/** Runs calls of a service under a load, and gives what became of each. */
const observe = <A, E>(
  layer: typeof EchoSlow,
  load: (call: (id: number) => Effect.Effect<void>, elapsed: () => number) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.gen(function*() {
    const echo = Context.get(yield* Layer.build(layer), Echo)
    const outcomes: Array<Outcome> = []
    const start = performance.now()
    const elapsed = () => performance.now() - start
    yield* load((id) => {
      const begun = elapsed()
      const done = (tag: string) => outcomes.push({ tag, millis: elapsed() - begun, at: elapsed() })
      return Deadline.within(echo.echo({ id }), deadlineMillis).pipe(
        Effect.match({ onSuccess: () => done("answered"), onFailure: (error) => done(error.reason._tag) }),
        Effect.asVoid
      )
    }, elapsed)
    return outcomes
  }).pipe(Effect.scoped)

/** Calls at even distances, whatever becomes of those before them. */
const openLoop = (layer: typeof EchoSlow, rate: number, seconds: number) =>
  observe(
    layer,
    Effect.fnUntraced(function*(call, elapsed) {
      const calls = yield* FiberSet.make<void>()
      for (let id = 0; id < rate * seconds;) {
        const due = Math.min(rate * seconds, Math.floor(elapsed() / 1000 * rate))
        while (id < due) yield* FiberSet.run(calls, call(id++))
        yield* Effect.sleep(1)
      }
      yield* FiberSet.awaitEmpty(calls)
    })
  )

/** As many callers as the service takes, each of which calls again when it is answered. */
const saturated = (layer: typeof EchoSlow, seconds: number) =>
  observe(layer, (call, elapsed) =>
    Effect.all(
      Array.from(
        { length: workers },
        (_, id) => Effect.repeat(Effect.suspend(() => call(id)), { while: () => elapsed() < seconds * 1000 })
      ),
      { concurrency: "unbounded", discard: true }
    ))

const outcomesOf = (tag: string, outcomes: ReadonlyArray<Outcome>) => outcomes.filter((outcome) => outcome.tag === tag)

/** The calls that were answered in each second of the load. */
const goodput = (outcomes: ReadonlyArray<Outcome>, seconds: number): ReadonlyArray<number> => {
  const counts = Array.from({ length: seconds }, () => 0)
  for (const { at } of outcomesOf("answered", outcomes)) {
    const second = Math.floor(at / 1000)
    if (second < seconds) counts[second]!++
  }
  return counts
}

const report = (name: string, outcomes: ReadonlyArray<Outcome>, seconds: number): string =>
  `${name}: ${describe(series(goodput(outcomes, seconds)))} answered a second of ` +
  `${format(outcomes.length / seconds)}, ${outcomesOf("Overloaded", outcomes).length} refused, ` +
  `${outcomesOf("DeadlineExceeded", outcomes).length} too late`

/** A target on the longest that 99 % of the calls took that came out so. */
const within = (name: string, outcomes: ReadonlyArray<Outcome>, limit: number): string => {
  const millis = outcomes.map(({ millis }) => millis)
  const p99 = millis.length === 0 ? NaN : quantile(millis, 0.99)
  return `p99 of ${name}: ${format(p99)} ms, at most ${format(Math.max(...millis))} ms, value <= ${limit} ms: ` +
    verdict(p99 <= limit)
}

const measureOverload = (seconds: number): Effect.Effect<Measured> =>
  Effect.gen(function*() {
    const half = 8
    const before = yield* saturated(EchoSlow, half)
    const limited = yield* openLoop(
      EchoSlow.pipe(Traffic.limit({ concurrency: workers, queue: 64 })),
      3 * capacity,
      seconds
    )
    const unlimited = yield* openLoop(EchoSlow, 3 * capacity, seconds)
    const after = yield* saturated(EchoSlow, half)
    const best = series([...goodput(before, half), ...goodput(after, half)])
    return apart(series(goodput(limited, seconds)), best, [
      within("the answered", outcomesOf("answered", limited), deadlineMillis),
      within("the refused", outcomesOf("Overloaded", limited), 10),
      report(`at ${format(3 * capacity)} calls a second, with the limit`, limited, seconds),
      report(`at ${format(3 * capacity)} calls a second, without it`, unlimited, seconds)
    ])
  })

/** What is left of a model under three times the load that it can take. */
export const overload: Benchmark = {
  name: "traffic/overload",
  measures: "calls answered in time each second at 3 times the load that a model can take, behind a limit, over the " +
    "most that it answers; every call has 500 ms",
  unit: "calls/s",
  target: ratioAtLeast(0.9),
  run: ({ full }) => measureOverload(full ? 120 : 30)
}
