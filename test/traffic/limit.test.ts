import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, ServiceError, Traffic } from "chorale"
import { Duration, Effect, Fiber, Layer, Metric, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { makeWork, outcome, settle, start, tagOf, Work } from "./work.ts"

/** A service behind a limit, and calls of it by number that take 100 milliseconds unless they say otherwise. */
const withLimit = <A, E>(
  options: Traffic.LimitOptions<"run">,
  use: (
    call: (id: number, millis?: number) => Effect.Effect<number, unknown>,
    seen: ReturnType<typeof makeWork>["seen"],
    work: Work["Service"]
  ) => Effect.Effect<A, E>
) =>
  Effect.suspend(() => {
    const { layer, seen } = makeWork()
    return Effect.flatMap(Work, (work) => use((id, millis = 100) => work.run({ id, millis }), seen, work)).pipe(
      Effect.provide(layer.pipe(Traffic.limit(options)))
    )
  })

describe("Traffic.limit", () => {
  it.effect("runs as many calls as it may, and refuses the next at once without a queue", () =>
    withLimit(
      { concurrency: 2 },
      Effect.fnUntraced(function*(call, seen) {
        const fibers = yield* Effect.forEach([1, 2, 3], (id) => start(call(id)))
        assert.deepStrictEqual(fibers.map(outcome), ["waits", "waits", "Overloaded"])
        assert.deepStrictEqual(seen.started, [1, 2])
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(fibers.map(outcome), ["answered", "answered", "Overloaded"])
      })
    ))

  it.effect("lets a queue fill up exactly, and refuses the call beyond it", () =>
    withLimit(
      { concurrency: 1, queue: 2 },
      Effect.fnUntraced(function*(call, seen) {
        const fibers = yield* Effect.forEach([1, 2, 3, 4], (id) => start(call(id)))
        assert.deepStrictEqual(fibers.map(outcome), ["waits", "waits", "waits", "Overloaded"])
        yield* TestClock.adjust(100)
        const next = yield* start(call(5))
        assert.strictEqual(outcome(next), "waits")
        yield* TestClock.adjust(300)
        assert.deepStrictEqual(seen.finished, [1, 2, 3, 5])
        assert.strictEqual(seen.mostRunning, 1)
      })
    ))

  for (
    const [policy, put] of [
      ["limit", Traffic.limit({ concurrency: 1, queue: 4, methods: ["run"] })],
      ["adaptiveLimit", Traffic.adaptiveLimit({ initial: 1, max: 1, queue: 4, methods: ["run"] })]
    ] as const
  ) {
    it.effect(`${policy} tells the metrics how many calls wait, and how long those have waited that had to`, () =>
      Effect.gen(function*() {
        const stateOf = (id: string) =>
          Effect.map(Metric.snapshot, (all) => {
            const found = all.filter((metric) => metric.id === id && metric.attributes?.["policy"] === policy)
            assert.isAtMost(found.length, 1)
            if (found[0] !== undefined) {
              assert.deepInclude(found[0].attributes, { service: Work.key, policy, methods: "run" })
            }
            return found[0]?.state
          })
        yield* Effect.gen(function*() {
          const work = yield* Work
          yield* Effect.forEach([1, 2, 3], (id) => start(work.run({ id, millis: 100 })))
          assert.deepInclude(yield* stateOf("chorale_queue_length"), { value: 2 })
          assert.isUndefined(yield* stateOf("chorale_queue_wait_seconds"))
          yield* TestClock.adjust(100)
          assert.deepInclude(yield* stateOf("chorale_queue_length"), { value: 1 })
          assert.deepInclude(yield* stateOf("chorale_queue_wait_seconds"), { count: 1, sum: 0.1 })
          yield* TestClock.adjust(200)
          assert.deepInclude(yield* stateOf("chorale_queue_length"), { value: 0 })
          assert.deepInclude(yield* stateOf("chorale_queue_wait_seconds"), { count: 2, min: 0.1, max: 0.2 })
        }).pipe(Effect.provide(makeWork().layer.pipe(put)))
        assert.isUndefined(yield* stateOf("chorale_queue_length"))
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
  }

  it.effect("lets the last come first in a queue that is lifo", () =>
    withLimit(
      { concurrency: 1, queue: 3, order: "lifo" },
      Effect.fnUntraced(function*(call, seen) {
        yield* Effect.forEach([1, 2, 3, 4], (id) => start(call(id)))
        yield* TestClock.adjust(400)
        assert.deepStrictEqual(seen.finished, [1, 4, 3, 2])
      })
    ))

  it.effect("lets in by priority, and among equals the first come first", () =>
    withLimit(
      { concurrency: 1, queue: 4, order: "priority" },
      Effect.fnUntraced(function*(call, seen) {
        const urgent = (id: number, priority: number) =>
          start(Effect.provideService(call(id), Traffic.Priority, priority))
        yield* start(call(1))
        yield* urgent(2, 0)
        yield* urgent(3, 5)
        yield* urgent(4, -1)
        yield* urgent(5, 5)
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(seen.finished, [1, 3, 5, 2, 4])
      })
    ))

  it.effect("gives the place of the lowest priority to a higher one when the queue is full", () =>
    withLimit(
      { concurrency: 1, queue: 2, order: "priority" },
      Effect.fnUntraced(function*(call, seen) {
        const urgent = (id: number, priority: number) =>
          start(Effect.provideService(call(id), Traffic.Priority, priority))
        const fibers = [yield* urgent(1, 0), yield* urgent(2, 1), yield* urgent(3, 1), yield* urgent(4, 1)]
        assert.deepStrictEqual(fibers.map(outcome), ["waits", "waits", "waits", "Overloaded"])
        const highest = yield* urgent(5, 2)
        yield* settle
        assert.deepStrictEqual(fibers.map(outcome), ["waits", "waits", "Overloaded", "Overloaded"])
        yield* TestClock.adjust(300)
        assert.strictEqual(outcome(highest), "answered")
        assert.deepStrictEqual(seen.finished, [1, 5, 2])
      })
    ))

  it.effect("says in retryAfter how long the queue takes to drain, and a second while it does not know", () =>
    withLimit(
      { concurrency: 2, queue: 3 },
      Effect.fnUntraced(function*(call) {
        const fill = (first: number) => Effect.forEach([0, 1, 2, 3, 4], (id) => start(call(first + id)))
        yield* fill(0)
        const unknown = yield* Effect.flip(call(5))
        assert.strictEqual(retryAfter(unknown), 1000)
        yield* TestClock.adjust(300)
        yield* fill(10)
        // Calls take 100 milliseconds, two at a time: the queue of 3 and this call are let in after 200.
        assert.strictEqual(retryAfter(yield* Effect.flip(call(15))), 200)
        yield* TestClock.adjust(1000)
      })
    ))

  it.effect("follows the rate of a service that becomes slower", () =>
    withLimit(
      { concurrency: 1, queue: 1 },
      Effect.fnUntraced(function*(call) {
        yield* start(call(0, 10))
        yield* TestClock.adjust(10)
        for (let id = 1; id <= 50; id++) {
          yield* start(call(id, 1000))
          yield* TestClock.adjust(1000)
        }
        yield* start(call(100, 1000))
        yield* start(call(101, 1000))
        assert.approximately(retryAfter(yield* Effect.flip(call(102))) ?? 0, 2000, 50)
        yield* TestClock.adjust(2000)
      })
    ))

  it.effect("does not take a call for a short one that was interrupted or cut off by its deadline", () =>
    withLimit(
      { concurrency: 1 },
      Effect.fnUntraced(function*(call) {
        yield* start(call(0))
        yield* TestClock.adjust(100)
        for (let id = 1; id <= 20; id++) {
          const cut = yield* start(id % 2 === 0 ? call(id) : Deadline.within(call(id), 1))
          yield* TestClock.adjust(1)
          yield* Fiber.interrupt(cut)
        }
        yield* start(call(100))
        assert.strictEqual(retryAfter(yield* Effect.flip(call(101))), 100)
        yield* TestClock.adjust(100)
      })
    ))

  it.effect("refuses a call at once that would not be finished before its deadline", () =>
    withLimit(
      { concurrency: 1, queue: 10 },
      Effect.fnUntraced(function*(call, seen) {
        yield* start(call(0))
        yield* TestClock.adjust(100)
        yield* Effect.forEach([1, 2, 3], (id) => start(call(id)))
        const late = yield* start(Deadline.within(call(4), 399))
        const inTime = yield* start(Deadline.within(call(5), 400))
        assert.deepStrictEqual([late, inTime].map(outcome), ["Overloaded", "waits"])
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(seen.started, [0, 1, 2, 3, 5])
      })
    ))

  it.effect("expires a call that waits at its deadline, not before, and runs it never", () =>
    withLimit(
      { concurrency: 1, queue: 10 },
      Effect.fnUntraced(function*(call, seen) {
        yield* start(call(1, 1000))
        const waiting = yield* start(Deadline.within(call(2), 500))
        yield* TestClock.adjust(499)
        assert.strictEqual(outcome(waiting), "waits")
        yield* TestClock.adjust(1)
        assert.strictEqual(outcome(waiting), "DeadlineExceeded")
        const behind = yield* start(call(3))
        yield* TestClock.adjust(599)
        assert.strictEqual(outcome(behind), "waits")
        yield* TestClock.adjust(1)
        assert.strictEqual(outcome(behind), "answered")
        assert.deepStrictEqual(seen.started, [1, 3])
      })
    ))

  it.effect("gives a permit that comes free at the deadline of a call to the one behind it", () =>
    withLimit(
      { concurrency: 1, queue: 10 },
      Effect.fnUntraced(function*(call, seen) {
        yield* start(call(1, 500))
        const tied = yield* start(Deadline.within(call(2), 500))
        const behind = yield* start(call(3))
        yield* TestClock.adjust(500)
        assert.strictEqual(outcome(tied), "DeadlineExceeded")
        assert.deepStrictEqual(seen.started, [1, 3])
        yield* TestClock.adjust(100)
        assert.strictEqual(outcome(behind), "answered")
      })
    ))

  it.effect("refuses a call whose deadline is over without putting it into the queue", () =>
    withLimit(
      { concurrency: 1, queue: 1 },
      Effect.fnUntraced(function*(call) {
        yield* start(call(1))
        const late = yield* start(
          Effect.provideService(call(2), Deadline.Current, { at: -1, budget: Duration.millis(5) })
        )
        assert.strictEqual(outcome(late), "DeadlineExceeded")
        assert.strictEqual(outcome(yield* start(call(3))), "waits")
        yield* TestClock.adjust(200)
      })
    ))

  it.effect("leaves no hole where a call was interrupted while it waited", () =>
    withLimit(
      { concurrency: 1, queue: 2 },
      Effect.fnUntraced(function*(call, seen) {
        const [, second, third] = yield* Effect.forEach([1, 2, 3], (id) => start(call(id)))
        yield* Fiber.interrupt(second!)
        const fourth = yield* start(call(4))
        assert.strictEqual(outcome(fourth), "waits")
        yield* TestClock.adjust(300)
        assert.deepStrictEqual([third!, fourth].map(outcome), ["answered", "answered"])
        assert.deepStrictEqual(seen.started, [1, 3, 4])
      })
    ))

  it.effect("passes the permit of a call that is interrupted to the next", () =>
    withLimit(
      { concurrency: 1, queue: 1 },
      Effect.fnUntraced(function*(call, seen) {
        const first = yield* start(call(1, 10_000))
        const second = yield* start(call(2))
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust(100)
        assert.strictEqual(outcome(second), "answered")
        assert.deepStrictEqual(seen.interrupted, [1])
      })
    ))

  it.effect("takes the permit back from a call that is interrupted in the moment it is let in", () =>
    withLimit(
      { concurrency: 1, queue: 2 },
      Effect.fnUntraced(function*(call, seen) {
        const [first, second, third] = yield* Effect.forEach([1, 2, 3], (id) => start(call(id)))
        // The permit goes from the first to the second, which is interrupted before it goes on.
        first!.interruptUnsafe()
        second!.interruptUnsafe()
        yield* TestClock.adjust(100)
        assert.strictEqual(outcome(third!), "answered")
        assert.deepStrictEqual(seen.started, [1, 3])
      })
    ))

  it.effect("lets all the others in after calls that fail or die", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeWork(({ id }) =>
        id % 2 === 0 ? Effect.die("a bug") : Effect.fail(new ServiceError.Unavailable({ detail: "down" }))
      )
      const work = yield* Effect.provide(Work, layer.pipe(Traffic.limit({ concurrency: 1, queue: 100 })))
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }, (_, id) => id), (id) =>
        start(work.run({ id, millis: 1 })))
      yield* settle
      assert.deepStrictEqual(
        fibers.map(outcome),
        fibers.map((_, id) =>
          id % 2 === 0 ? "Die" : "Unavailable"
        )
      )
      assert.strictEqual(seen.finished.length, 20)
    }))

  it.effect("drains a long queue", () =>
    withLimit(
      { concurrency: 1, queue: 3000 },
      Effect.fnUntraced(function*(call, seen) {
        yield* start(call(0, 1))
        const rest = yield* Effect.forEach(Array.from({ length: 3000 }, (_, id) => id + 1), (id) => start(call(id, 0)))
        yield* TestClock.adjust(1)
        yield* Fiber.joinAll(rest)
        assert.strictEqual(seen.finished.length, 3001)
        assert.strictEqual(seen.mostRunning, 1)
      })
    ))

  it.effect("counts a stream until it has ended, failed or been left", () =>
    withLimit(
      { concurrency: 1, queue: 5 },
      Effect.fnUntraced(function*(call, seen, work) {
        const stream = yield* start(Stream.runCollect(work.items({ id: 1, millis: 100, count: 3 })))
        const after = yield* start(call(2))
        yield* TestClock.adjust(299)
        assert.strictEqual(outcome(after), "waits")
        yield* TestClock.adjust(101)
        assert.deepStrictEqual([stream, after].map(outcome), ["answered", "answered"])
        const left = yield* start(Stream.runDrain(Stream.take(work.items({ id: 3, millis: 100, count: 9 }), 1)))
        const last = yield* start(call(4))
        yield* TestClock.adjust(200)
        assert.deepStrictEqual([left, last].map(outcome), ["answered", "answered"])
        assert.deepStrictEqual(seen.started, [1, 2, 3, 4])
      })
    ))

  it.effect("takes a stream out of the queue that is interrupted while it waits", () =>
    withLimit(
      { concurrency: 1, queue: 1 },
      Effect.fnUntraced(function*(call, seen, work) {
        yield* start(call(1))
        const stream = yield* start(Stream.runDrain(work.items({ id: 2, millis: 1, count: 1 })))
        yield* Fiber.interrupt(stream)
        const next = yield* start(call(3))
        yield* TestClock.adjust(200)
        assert.strictEqual(outcome(next), "answered")
        assert.deepStrictEqual(seen.started, [1, 3])
      })
    ))

  it.effect("is for the methods that it names, and leaves the others alone", () =>
    withLimit(
      { concurrency: 1, methods: ["run"] },
      Effect.fnUntraced(function*(call, _, work) {
        yield* start(call(1))
        assert.strictEqual(tagOf(yield* Effect.flip(call(2))), "Overloaded")
        assert.strictEqual(outcome(yield* start(work.other({ id: 3, millis: 1 }))), "waits")
        yield* TestClock.adjust(100)
      })
    ))

  it.effect("is one limit for all who share the layer, and a new one each time it is built", () =>
    Effect.gen(function*() {
      class Caller extends Model.Service<Caller>()("test/Caller", [
        Rpc.make("first", { success: Schema.Int }),
        Rpc.make("second", { success: Schema.Int })
      ]) {}
      const { layer } = makeWork()
      const limited = layer.pipe(Traffic.limit({ concurrency: 1 }))
      const first = Layer.effect(
        Work,
        Effect.map(Work, (work) => work)
      ).pipe(Layer.provide(limited))
      const caller = Caller.toLayer(Effect.gen(function*() {
        const mine = yield* Work
        const again = yield* Effect.provide(Work, first)
        return {
          first: () => Effect.orDie(mine.run({ id: 1, millis: 100 })),
          second: () => Effect.catchTag(again.run({ id: 2, millis: 100 }), "Refused", () => Effect.succeed(0))
        }
      })).pipe(Layer.provide(limited))
      yield* Effect.flatMap(
        Caller,
        Effect.fnUntraced(function*(caller) {
          yield* start(caller.first())
          assert.strictEqual(outcome(yield* start(caller.second())), "Overloaded")
          yield* TestClock.adjust(100)
        })
      ).pipe(Effect.provide(caller))
    }))

  it("refuses limits that make no sense", () => {
    assert.throws(() => Traffic.limit({ concurrency: 0 }), "concurrency must be a whole number >= 1, not 0")
    assert.throws(() => Traffic.limit({ concurrency: 1.5 }), "not 1.5")
    assert.throws(() => Traffic.limit({ concurrency: 1, queue: -1 }), "queue must be a whole number >= 0, not -1")
  })
})

const retryAfter = (error: unknown): number | undefined =>
  error instanceof ServiceError.ServiceError && error.reason._tag === "Overloaded"
    ? Duration.toMillis(error.reason.retryAfter)
    : undefined
