/**
 * The same for policies that deal with failures, and for all of them at once: another 4000 schedules, in which calls fail,
 * die and are refused.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Model, Residency, ServiceError, Traffic } from "chorale"
import { Effect, Exit, Layer, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { callOf, play, runs, type Step, steps } from "./schedule.ts"
import { type Behaviour, makeWork, outcome, settle, start, Work } from "./work.ts"

const down = new ServiceError.Unavailable({ detail: "down" })

/** Fails, dies or answers by the time that the call is to take, until all is `well`. */
const makeFailing = () => {
  let isWell = false
  const behaviour: Behaviour = ({ id, millis }) =>
    Effect.andThen(
      Effect.sleep(millis),
      isWell || millis % 4 > 1 ? Effect.succeed(id) : millis % 4 === 1 ? Effect.die("a bug") : Effect.fail(down)
    )
  const well = Effect.sync(() => {
    isWell = true
  })
  return { ...makeWork(behaviour), well }
}

const expected = new Set(["answered", "Unavailable", "Overloaded", "DeadlineExceeded", "Interrupt", "Die"])

type Put = (layer: Model.ServiceLayer<Work, never, never>) => Layer.Layer<Work>

/** Plays a schedule against a service behind policies, and checks that each call has an outcome and none runs on. */
const playBehind = Effect.fnUntraced(function*(
  schedule: ReadonlyArray<Step>,
  put: Put,
  use: (played: {
    readonly calls: number
    readonly seen: ReturnType<typeof makeWork>["seen"]
    readonly work: Work["Service"]
  }) => Effect.Effect<void>
) {
  const { layer, seen, well } = makeFailing()
  const scope = yield* Scope.make()
  const work = yield* Effect.provide(Work, yield* Layer.buildWithScope(put(layer), scope))
  const { interrupted, outcomes } = yield* play(schedule, callOf(work))
  for (const [id, tag] of outcomes.entries()) {
    assert.isTrue(expected.has(tag), tag)
    if (tag === "Interrupt") assert.isTrue(interrupted.has(id))
    if (tag === "answered") assert.isTrue(seen.finished.includes(id))
  }
  assert.strictEqual(seen.running, 0)
  yield* well
  yield* use({ calls: outcomes.length, seen, work })
  yield* Scope.close(scope, Exit.void)
})

describe("any schedule of calls that may fail", () => {
  it.effect.prop("leaves an adaptive limit with all its permits", { steps }, ({ steps }) =>
    playBehind(
      steps,
      Traffic.adaptiveLimit({ initial: 2, min: 2, max: 2, queue: 1 }),
      Effect.fnUntraced(function*({ seen, work }) {
        assert.isAtMost(seen.mostRunning, 2)
        const fill = yield* Effect.forEach([100, 101, 102, 103], (id) => start(work.run({ id, millis: 1 })))
        yield* settle
        assert.deepStrictEqual(fill.map(outcome), ["waits", "waits", "waits", "Overloaded"])
        yield* TestClock.adjust(2)
      })
    ), runs(1000))

  it.effect.prop("leaves no circuit waiting for a call that is gone", { steps }, ({ steps }) =>
    playBehind(
      steps,
      Traffic.circuitBreaker({ trip: 2, openFor: 10 }),
      Effect.fnUntraced(function*({ work }) {
        yield* TestClock.adjust(10)
        for (const id of [100, 101]) {
          const call = yield* start(
            id === 100 ? work.run({ id, millis: 0 }) : Stream.runDrain(work.items({ id, millis: 0, count: 1 }))
          )
          yield* settle
          assert.strictEqual(outcome(call), "answered")
        }
      })
    ), runs(1000))

  it.effect.prop(
    "makes no more attempts than it may, of each call and of all together",
    { steps },
    ({ steps }) =>
      playBehind(
        steps,
        Traffic.retry({ times: 2, reserve: 2, schedule: Schedule.spaced(3) }),
        ({ calls, seen }) =>
          Effect.sync(() => {
            const attempts = new Map<number, number>()
            for (const id of seen.started) attempts.set(id, (attempts.get(id) ?? 0) + 1)
            assert.isAtMost(Math.max(0, ...attempts.values()), 3)
            assert.isAtMost(seen.started.length - attempts.size, 2 + 0.2 * calls)
          })
      ),
    runs(1000)
  )

  it.effect.prop("leaves all policies together as they were", { steps }, ({ steps }) =>
    playBehind(
      steps,
      (layer) =>
        layer.pipe(
          Residency.idle({ timeToLive: 5 }),
          Traffic.adaptiveLimit({ initial: 2, min: 2, max: 2, queue: 1 }),
          Traffic.circuitBreaker({ trip: 3, openFor: 10 }),
          Traffic.rateLimit({ limit: 12, window: 60 }),
          Traffic.retry({ times: 1, schedule: Schedule.spaced(3) }),
          Traffic.deadline("1 minute"),
          Traffic.cache({ methods: ["other"], capacity: 1000, timeToLive: 15 })
        ),
      Effect.fnUntraced(function*({ seen, work }) {
        assert.isAtMost(seen.mostRunning, 2)
        yield* TestClock.adjust(100)
        const closing = yield* start(work.run({ id: 99, millis: 0 }))
        yield* settle
        assert.strictEqual(outcome(closing), "answered")
        const fill = yield* Effect.forEach([100, 101, 102], (id) => start(work.run({ id, millis: 1 })))
        yield* settle
        const running = seen.running
        yield* TestClock.adjust(10)
        assert.strictEqual([running, ...fill.map(outcome)].join(), "2,answered,answered,answered")
      })
    ), runs(1000))
})
