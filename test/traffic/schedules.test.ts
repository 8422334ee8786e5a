/**
 * Whatever the order of calls, interruptions and time, each call has one outcome, and nothing is left behind: 10,000
 * generated schedules in all.
 */
import { assert, describe, it } from "@effect/vitest"
import { Traffic } from "chorale"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { callOf, play, runs, steps } from "./schedule.ts"
import { makeWork, outcome, settle, start, Work } from "./work.ts"

const expected = new Set(["answered", "Overloaded", "DeadlineExceeded", "Interrupt"])

/** Each call has an outcome that it may have, ran at most once, and ran where it was answered. */
const check = (
  { outcomes, interrupted }: { readonly outcomes: ReadonlyArray<string>; readonly interrupted: ReadonlySet<number> },
  seen: ReturnType<typeof makeWork>["seen"]
) => {
  for (const [id, tag] of outcomes.entries()) {
    assert.isTrue(expected.has(tag), tag)
    if (tag === "Interrupt") assert.isTrue(interrupted.has(id))
    if (tag === "answered") assert.isTrue(seen.finished.includes(id))
    if (tag === "Overloaded") assert.isFalse(seen.started.includes(id))
  }
  assert.strictEqual(new Set(seen.started).size, seen.started.length)
  assert.strictEqual(seen.running, 0)
}

describe("any schedule of calls", () => {
  for (const order of ["fifo", "lifo", "priority"] as const) {
    it.effect.prop(`leaves a limit that is ${order} as it was`, { steps }, ({ steps }) =>
      Effect.gen(function*() {
        const { layer, seen } = makeWork()
        const scope = yield* Scope.make()
        const built = yield* Layer.buildWithScope(layer.pipe(Traffic.limit({ concurrency: 2, queue: 3, order })), scope)
        const work = yield* Effect.provide(Work, built)
        check(yield* play(steps, callOf(work)), seen)
        assert.isAtMost(seen.mostRunning, 2)
        const fill = yield* Effect.forEach([100, 101, 102, 103, 104, 105], (id) => start(work.run({ id, millis: 1 })))
        yield* settle
        assert.deepStrictEqual(fill.map(outcome), ["waits", "waits", "waits", "waits", "waits", "Overloaded"])
        yield* TestClock.adjust(3)
        assert.isTrue(fill.slice(0, 5).every((fiber) => outcome(fiber) === "answered"))
        yield* Scope.close(scope, Exit.void)
      }), runs(2000))
  }

  it.effect.prop(
    "leaves a budget as it was, whatever its calls weigh",
    { steps },
    ({ steps }) =>
      Effect.gen(function*() {
        const heavy = makeWork()
        const shared = Layer.mergeAll(
          heavy.layer.pipe(
            Traffic.budget("cores", { permits: 2, methods: ["run"] }),
            Traffic.budget("cores", { permits: 1, methods: ["items", "other"] })
          )
        ).pipe(Layer.provide(Traffic.layerBudget("cores", { permits: 3, queue: 4 })))
        const scope = yield* Scope.make()
        const work = yield* Effect.provide(Work, yield* Layer.buildWithScope(shared, scope))
        check(yield* play(steps, callOf(work)), heavy.seen)
        assert.isAtMost(heavy.seen.mostRunning, 3)
        const fill = yield* Effect.forEach([100, 101, 102], (id) => start(work.other({ id, millis: 1 })))
        yield* settle
        assert.strictEqual(heavy.seen.running, 3)
        yield* TestClock.adjust(1)
        assert.isTrue(fill.every((fiber) => outcome(fiber) === "answered"))
        yield* Scope.close(scope, Exit.void)
      }),
    runs(2000)
  )

  it.effect.prop(
    "computes an answer for the cache while somebody waits for it, and for nobody else",
    { steps },
    ({ steps }) =>
      Effect.gen(function*() {
        const { layer, seen } = makeWork()
        const cached = layer.pipe(Traffic.cache({ methods: ["run"], capacity: 1e6, timeToLive: 15 }))
        const scope = yield* Scope.make()
        const work = yield* Effect.provide(Work, yield* Layer.buildWithScope(cached, scope))
        const played = yield* play(steps, (_, { kind, millis }) => work.run({ id: kind, millis: millis % 3 * 10 }))
        for (const [id, tag] of played.outcomes.entries()) {
          assert.isTrue(["answered", "DeadlineExceeded", "Interrupt"].includes(tag), tag)
          if (tag === "Interrupt") assert.isTrue(played.interrupted.has(id))
        }
        assert.strictEqual(seen.running, 0)
        yield* Scope.close(scope, Exit.void)
      }),
    runs(2000)
  )
})
