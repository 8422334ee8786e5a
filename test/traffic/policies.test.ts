import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, ServiceError, Traffic } from "chorale"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Schedule, Schema, Stream } from "effect"
import { RateLimiter } from "effect/persistence"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { makeWork, outcome, settle, start, tagOf, Work } from "./work.ts"

const retryAfter = (error: unknown): number | undefined =>
  error instanceof ServiceError.ServiceError && error.reason._tag === "Overloaded"
    ? Duration.toMillis(error.reason.retryAfter)
    : undefined

describe("Traffic.deadline", () => {
  it.effect("interrupts a call and a stream exactly when their time is over", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeWork()
      const work = yield* Effect.provide(Work, layer.pipe(Traffic.deadline(100)))
      const inTime = yield* start(work.run({ id: 1, millis: 99 }))
      const late = yield* start(work.run({ id: 2, millis: 101 }))
      const stream = yield* start(Stream.runDrain(work.items({ id: 3, millis: 60, count: 2 })))
      yield* TestClock.adjust(99)
      assert.deepStrictEqual([inTime, late, stream].map(outcome), ["answered", "waits", "waits"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([late, stream].map(outcome), ["DeadlineExceeded", "DeadlineExceeded"])
      assert.deepStrictEqual(seen.interrupted.toSorted(), [2, 3])
    }))

  it.effect("does not lengthen the deadline of the caller", () =>
    Effect.gen(function*() {
      const work = yield* Effect.provide(Work, makeWork().layer.pipe(Traffic.deadline(100)))
      const hurried = yield* start(Deadline.within(work.run({ id: 1, millis: 80 }), 50))
      const stream = yield* start(
        Deadline.within(Stream.runDrain(work.items({ id: 2, millis: 80, count: 1 })), 50)
      )
      yield* TestClock.adjust(50)
      assert.deepStrictEqual([hurried, stream].map(outcome), ["DeadlineExceeded", "DeadlineExceeded"])
    }))

  it.effect("counts the time in the queue of a limit inside, and says what it was", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeWork()
      const limited = layer.pipe(Traffic.limit({ concurrency: 1, queue: 9 }), Traffic.deadline(100))
      const work = yield* Effect.provide(Work, limited)
      yield* start(work.run({ id: 1, millis: 90 }))
      const late = yield* start(Effect.flip(work.run({ id: 2, millis: 20 })))
      yield* TestClock.adjust(100)
      const exit = late.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
      if (exit === undefined || !Exit.isSuccess(exit)) return
      const error = exit.value
      assert.strictEqual(tagOf(error), "DeadlineExceeded")
      assert.isTrue(
        error instanceof ServiceError.ServiceError && error.reason._tag === "DeadlineExceeded" &&
          Duration.toMillis(error.reason.budget) === 100
      )
      assert.deepStrictEqual(seen.interrupted, [2])
    }))

  it.effect("covers all attempts of a retry inside, and each of a retry outside", () =>
    Effect.gen(function*() {
      let left = 1
      const { layer, seen } = makeWork(({ id, millis }) =>
        Effect.andThen(
          Effect.sleep(millis),
          left-- > 0 ? Effect.fail(new ServiceError.Unavailable({ detail: "" })) : Effect.succeed(id)
        )
      )
      const retry = Traffic.retry({ schedule: Schedule.spaced(10) })
      const total = yield* Effect.provide(Work, layer.pipe(retry, Traffic.deadline(100)))
      const covered = yield* start(total.run({ id: 1, millis: 60 }))
      yield* TestClock.adjust(100)
      assert.strictEqual(outcome(covered), "DeadlineExceeded")
      left = 1
      const each = yield* Effect.provide(Work, layer.pipe(Traffic.deadline(100), retry))
      const attempted = yield* start(each.run({ id: 2, millis: 60 }))
      yield* TestClock.adjust(130)
      assert.strictEqual(outcome(attempted), "answered")
      assert.deepStrictEqual(seen.started, [1, 1, 2, 2])
    }))
})

describe("Traffic.of", () => {
  it.effect("keeps calls of any layer to their deadline", () =>
    Effect.gen(function*() {
      const slow = Layer.mock(Work, { run: () => Effect.never, items: () => Stream.never })
      const work = yield* Effect.provide(Work, Traffic.of(Work, slow).pipe(Traffic.deadline(100)))
      const call = yield* start(work.run({ id: 1, millis: 0 }))
      const stream = yield* start(Stream.runDrain(work.items({ id: 1, millis: 0, count: 1 })))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual([call, stream].map(outcome), ["DeadlineExceeded", "DeadlineExceeded"])
    }))

  it.effect("leaves what else a layer provides as it is", () =>
    Effect.gen(function*() {
      class Label extends Context.Service<Label, string>()("test/Label") {}
      const both = Layer.mergeAll(makeWork().layer, Layer.succeed(Label, "beside"))
      const context = yield* Layer.build(Traffic.of(Work, both).pipe(Traffic.limit({ concurrency: 1 })))
      assert.strictEqual(Context.getUnsafe(context, Label), "beside")
    }))
})

describe("Traffic.budget", () => {
  class Other extends Model.Service<Other>()("test/Other", [Rpc.make("run", { success: Schema.Void })]) {}

  it.effect("is shared by the services that name it, and not with other names", () =>
    Effect.gen(function*() {
      const mine = makeWork()
      const other = Other.toLayer({ run: () => Effect.sleep(100) })
      const context = yield* Layer.build(
        Layer.mergeAll(
          mine.layer.pipe(Traffic.budget("gpu", { methods: ["run"] }), Traffic.budget("cpu", { methods: ["other"] })),
          other.pipe(Traffic.budget("gpu"))
        ).pipe(Layer.provide([
          Traffic.layerBudget("gpu", { permits: 1, queue: 1 }),
          Traffic.layerBudget("cpu", { permits: 1 })
        ]))
      )
      const work = Context.get(context, Work)
      const held = yield* start(Context.get(context, Other).run())
      const waits = yield* start(work.run({ id: 1, millis: 1 }))
      const refused = yield* start(Context.get(context, Other).run())
      const free = yield* start(work.other({ id: 2, millis: 1 }))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([held, waits, refused, free].map(outcome), ["waits", "waits", "Overloaded", "answered"])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual([held, waits].map(outcome), ["answered", "answered"])
    }))

  it.effect("lets a call in that takes several permits when all of them are there, before those behind it", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeWork()
      const context = yield* Layer.build(
        layer.pipe(
          Traffic.budget("gpu", { permits: 2, methods: ["run"] }),
          Traffic.budget("gpu", { methods: ["other"] }),
          Layer.provide(Traffic.layerBudget("gpu", { permits: 2 }))
        )
      )
      const work = Context.get(context, Work)
      yield* start(work.other({ id: 1, millis: 100 }))
      yield* start(work.run({ id: 2, millis: 100 }))
      yield* start(work.other({ id: 3, millis: 100 }))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(seen.started, [1])
      yield* TestClock.adjust(250)
      assert.deepStrictEqual(seen.finished, [1, 2, 3])
    }))

  it.effect("lets those behind in when a call that needs more than is free leaves the queue", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeWork()
      const context = yield* Layer.build(
        layer.pipe(
          Traffic.budget("gpu", { permits: 2, methods: ["run"] }),
          Traffic.budget("gpu", { methods: ["other"] }),
          Layer.provide(Traffic.layerBudget("gpu", { permits: 2 }))
        )
      )
      const work = Context.get(context, Work)
      yield* start(work.other({ id: 1, millis: 100 }))
      const heavy = yield* start(work.run({ id: 2, millis: 100 }))
      yield* start(work.other({ id: 3, millis: 100 }))
      assert.deepStrictEqual(seen.started, [1])
      yield* Fiber.interrupt(heavy)
      yield* settle
      assert.deepStrictEqual(seen.started, [1, 3])
      yield* TestClock.adjust(100)
    }))

  it.effect("lets the service of higher priority in first", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeWork()
      const context = yield* Layer.build(
        layer.pipe(
          Traffic.budget("gpu", { methods: ["run"] }),
          Traffic.budget("gpu", { priority: 1, methods: ["other"] }),
          Layer.provide(Traffic.layerBudget("gpu", { permits: 1 }))
        )
      )
      const work = Context.get(context, Work)
      yield* start(work.run({ id: 1, millis: 10 }))
      yield* start(work.run({ id: 2, millis: 10 }))
      yield* start(work.other({ id: 3, millis: 10 }))
      yield* TestClock.adjust(30)
      assert.deepStrictEqual(seen.finished, [1, 3, 2])
    }))

  it.effect("does not build where a call takes more than there is", () =>
    Effect.gen(function*() {
      const layer = makeWork().layer.pipe(
        Traffic.budget("gpu", { permits: 3 }),
        Layer.provide(Traffic.layerBudget("gpu", { permits: 2 }))
      )
      const exit = yield* Effect.exit(Layer.build(layer))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) {
        assert.include(Cause.pretty(exit.cause), "a call takes 3 permits of the budget gpu, which has 2")
      }
    }))
})

describe("Traffic.rateLimit", () => {
  it.effect("lets in so many calls in a window, and says when the next is let in", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(makeWork().layer.pipe(Traffic.rateLimit({ limit: 2, window: 1000 })))
      const work = Context.get(context, Work)
      const call = work.run({ id: 1, millis: 0 })
      yield* call
      yield* Stream.runDrain(work.items({ id: 1, millis: 0, count: 1 }))
      assert.strictEqual(retryAfter(yield* Effect.flip(call)), 500)
      yield* TestClock.adjust(499)
      assert.strictEqual(retryAfter(yield* Effect.flip(Stream.runDrain(work.items({ id: 1, millis: 0, count: 1 })))), 1)
      yield* TestClock.adjust(1)
      yield* call
      assert.strictEqual(tagOf(yield* Effect.flip(call)), "Overloaded")
    }))

  it.effect("with a fixed window lets in as many calls again exactly when it is over", () =>
    Effect.gen(function*() {
      const limited = makeWork().layer.pipe(Traffic.rateLimit({ limit: 2, window: 1000, algorithm: "fixed-window" }))
      const call = Context.get(yield* Layer.build(limited), Work).run({ id: 1, millis: 0 })
      yield* call
      yield* call
      assert.strictEqual(retryAfter(yield* Effect.flip(call)), 1000)
      yield* TestClock.adjust(999)
      assert.strictEqual(retryAfter(yield* Effect.flip(call)), 1)
      yield* TestClock.adjust(1)
      yield* call
      yield* call
      assert.strictEqual(tagOf(yield* Effect.flip(call)), "Overloaded")
    }))

  it.effect("makes calls Unavailable while their rate cannot be counted, and says why", () =>
    Effect.gen(function*() {
      const lost = Effect.fail(
        new RateLimiter.RateLimiterError({ reason: new RateLimiter.RateLimitStoreError({ message: "no connection" }) })
      )
      const store = Layer.succeed(RateLimiter.RateLimiterStore, {
        fixedWindow: () => lost,
        tokenBucket: () => lost,
        adaptiveConsume: () => lost,
        adaptiveFeedback: () => lost
      })
      const { layer, seen } = makeWork()
      const context = yield* Layer.build(layer.pipe(Traffic.rateLimit({ limit: 2, window: 1000, store })))
      const error = yield* Effect.flip(Context.get(context, Work).run({ id: 1, millis: 0 }))
      assert.strictEqual(tagOf(error), "Unavailable")
      assert.include(error.message, "its rate could not be counted: no connection")
      assert.deepStrictEqual(seen.started, [])
    }))

  it.effect("keeps two rates for the same methods in one store", () =>
    Effect.gen(function*() {
      const store = Layer.succeedContext(yield* Layer.build(RateLimiter.layerStoreMemory))
      const context = yield* Layer.build(
        makeWork().layer.pipe(
          Traffic.rateLimit({ limit: 2, window: 1000, store }),
          Traffic.rateLimit({ limit: 3, window: "1 minute", store })
        )
      )
      const call = Context.get(context, Work).run({ id: 1, millis: 0 })
      yield* call
      yield* call
      yield* TestClock.adjust(1000)
      yield* call
      assert.strictEqual(retryAfter(yield* Effect.flip(call)), 19_000)
    }))

  it.effect("counts for each policy apart", () =>
    Effect.gen(function*() {
      const { layer } = makeWork()
      const context = yield* Layer.build(layer.pipe(
        Traffic.rateLimit({ limit: 1, window: 1000, methods: ["run"] }),
        Traffic.rateLimit({ limit: 1, window: 1000, methods: ["other"] })
      ))
      const work = Context.get(context, Work)
      yield* work.run({ id: 1, millis: 0 })
      yield* work.other({ id: 1, millis: 0 })
      assert.strictEqual(tagOf(yield* Effect.flip(work.other({ id: 1, millis: 0 }))), "Overloaded")
      yield* settle
    }))
})
