import { assert, describe, it } from "@effect/vitest"
import { Deadline, ServiceError, Traffic } from "chorale"
import { Duration, Effect, Layer, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type Behaviour, makeWork, outcome, Refused, start, tagOf, Work } from "./work.ts"

const down = new ServiceError.Unavailable({ detail: "down" })
const every = (millis: number) => Schedule.spaced(millis)

/** Fails so often, each time at once, and then answers. */
const failing = (times: number, error: Effect.Error<ReturnType<Behaviour>> = down) => {
  let left = times
  return makeWork(({ id }) => left-- > 0 ? Effect.fail(error) : Effect.succeed(id))
}

const withRetry = <A, E>(
  { layer, seen }: ReturnType<typeof makeWork>,
  options: Traffic.RetryOptions<never>,
  use: (work: Work["Service"], seen: ReturnType<typeof makeWork>["seen"]) => Effect.Effect<A, E>
) => Effect.provide(Effect.flatMap(Work, (work) => use(work, seen)), layer.pipe(Traffic.retry(options)))

const call = { id: 1, millis: 0 }

describe("Traffic.retry", () => {
  it.effect("makes a call again that was Unavailable, after the delay of the schedule", () =>
    withRetry(
      failing(2),
      { times: 2, schedule: every(100) },
      Effect.fnUntraced(function*(work, seen) {
        const fiber = yield* start(work.run(call))
        yield* TestClock.adjust(199)
        assert.strictEqual(outcome(fiber), "waits")
        yield* TestClock.adjust(1)
        assert.strictEqual(outcome(fiber), "answered")
        assert.strictEqual(seen.started.length, 3)
      })
    ))

  it.effect("gives up with the last error after so many attempts", () =>
    withRetry(
      failing(9),
      { times: 2, schedule: every(0) },
      Effect.fnUntraced(function*(work, seen) {
        assert.strictEqual(tagOf(yield* Effect.flip(work.run(call))), "Unavailable")
        assert.strictEqual(seen.started.length, 3)
      })
    ))

  it.effect("gives up when the schedule ends", () =>
    withRetry(
      failing(9),
      { times: 9, schedule: Schedule.recurs(1) },
      Effect.fnUntraced(function*(work, seen) {
        assert.strictEqual(tagOf(yield* Effect.flip(work.run(call))), "Unavailable")
        assert.strictEqual(seen.started.length, 2)
      })
    ))

  it.effect.each(
    [
      ["an error of the model", new Refused({ id: 1 })],
      ["a payload that does not fit", new ServiceError.InvalidPayload({ issue: "no" })],
      ["a deadline that is over", new ServiceError.DeadlineExceeded({ budget: Duration.seconds(1) })],
      [
        "a service behind it that is down",
        new ServiceError.ServiceError({ service: "other", method: "run", reason: down })
      ]
    ] satisfies ReadonlyArray<[string, Effect.Error<ReturnType<Behaviour>>]>
  )(
    "does not make a call again after %s",
    ([, error]) =>
      withRetry(
        failing(1, error),
        { schedule: every(0) },
        Effect.fnUntraced(function*(work, seen) {
          yield* Effect.flip(work.run(call))
          assert.strictEqual(seen.started.length, 1)
        })
      )
  )

  it.effect("does not make a call again after a defect", () =>
    withRetry(
      makeWork(() => Effect.die("a bug")),
      {},
      Effect.fnUntraced(function*(work, seen) {
        yield* Effect.exit(work.run(call))
        assert.strictEqual(seen.started.length, 1)
      })
    ))

  it.effect("waits as long as an overloaded service asks for before the delay of the schedule begins", () =>
    withRetry(
      failing(1, new ServiceError.Overloaded({ retryAfter: Duration.millis(1500) })),
      { schedule: every(100) },
      Effect.fnUntraced(function*(work) {
        const fiber = yield* start(work.run(call))
        yield* TestClock.adjust(1599)
        assert.strictEqual(outcome(fiber), "waits")
        yield* TestClock.adjust(1)
        assert.strictEqual(outcome(fiber), "answered")
      })
    ))

  it.effect("does not wait for an attempt that could not begin before the deadline", () =>
    withRetry(
      failing(1),
      { schedule: every(100) },
      Effect.fnUntraced(function*(work, seen) {
        const late = yield* start(Deadline.within(work.run(call), 100))
        assert.strictEqual(outcome(late), "Unavailable")
        assert.strictEqual(seen.started.length, 1)
      })
    ))

  it.effect("makes the attempt that can begin just before the deadline", () =>
    withRetry(
      failing(1),
      { schedule: every(100) },
      Effect.fnUntraced(function*(work) {
        const inTime = yield* start(Deadline.within(work.run(call), 101))
        yield* TestClock.adjust(100)
        assert.strictEqual(outcome(inTime), "answered")
      })
    ))

  it.effect("never makes more retries than the budget allows when all calls fail", () =>
    withRetry(
      failing(Infinity),
      { times: 3, schedule: every(0), reserve: 0 },
      Effect.fnUntraced(function*(work, seen) {
        for (let calls = 1; calls <= 1000; calls++) {
          yield* Effect.flip(work.run(call))
          assert.isAtMost(seen.started.length - calls, 0.2 * calls + 1e-9)
        }
        assert.strictEqual(seen.started.length, 1200)
      })
    ))

  it.effect("spends its reserve first, and then a fifth of the calls", () =>
    withRetry(
      failing(Infinity),
      { times: 3, schedule: every(0) },
      Effect.fnUntraced(function*(work, seen) {
        yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.flip(work.run(call)))
        assert.isAtLeast(seen.started.length - 100, 28)
        assert.isAtMost(seen.started.length - 100, 30)
      })
    ))

  it.effect("does not save up more than its reserve while all goes well", () =>
    Effect.gen(function*() {
      let isDown = false
      const work = makeWork(({ id }) => isDown ? Effect.fail(down) : Effect.succeed(id))
      yield* withRetry(
        work,
        { times: 1, schedule: every(0), reserve: 5 },
        Effect.fnUntraced(function*(work, seen) {
          yield* Effect.forEach(Array.from({ length: 1000 }), () => work.run(call))
          isDown = true
          yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.flip(work.run(call)))
          assert.isAtMost(seen.started.length - 1010, 7)
        })
      )
    }))

  it.effect("makes a stream again before its first item, and not after it", () =>
    Effect.gen(function*() {
      let attempts = 0
      const error = new ServiceError.ServiceError({ service: Work.key, method: "items", reason: down })
      const layer = Traffic.of(
        Work,
        failingStream(() => {
          attempts++
          return attempts === 1
            ? Stream.fail(error)
            : Stream.concat(Stream.make(attempts), attempts === 2 ? Stream.empty : Stream.fail(error))
        })
      ).pipe(Traffic.retry({ schedule: every(0) }))
      const work = yield* Effect.provide(Work, layer)
      const items = { ...call, count: 1 }
      assert.deepStrictEqual(yield* Stream.runCollect(work.items(items)), [2])
      assert.strictEqual(tagOf(yield* Effect.flip(Stream.runCollect(work.items(items)))), "Unavailable")
      assert.strictEqual(attempts, 3)
    }))

  it("refuses budgets that make no sense", () => {
    assert.throws(() => Traffic.retry({ budget: -1 }), "budget must be a number >= 0")
    assert.throws(() => Traffic.retry({ reserve: Number.NaN }), "reserve must be a number >= 0")
    assert.throws(() => Traffic.retry({ times: 0.5 }), "times must be a whole number >= 0")
  })
})

const failingStream = (items: Work["Service"]["items"]) => Layer.mock(Work, { items })
