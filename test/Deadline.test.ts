import { assert, describe, it } from "@effect/vitest"
import { Codec, Deadline, Model, ServiceError } from "chorale"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Option, Schedule, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"

class Slow extends Model.Service<Slow>()("test/Slow", [
  Rpc.make("sleep", { payload: { millis: Schema.Int } }),
  Rpc.make("left", { success: Schema.Option(Schema.DurationFromMillis) }),
  Rpc.make("ticks", { success: Schema.Int, stream: true })
]) {}

class Outer extends Model.Service<Outer>()("test/Outer", [
  Rpc.make("sleepThenLeft", {
    payload: { millis: Schema.Int },
    success: Schema.Option(Schema.DurationFromMillis)
  })
]) {}

const setUp = Effect.gen(function*() {
  let started = 0
  const interrupted = yield* Deferred.make<void>()
  const slow = Slow.toLayer({
    sleep: ({ millis }) =>
      Effect.suspend(() => {
        started++
        return Effect.sleep(millis)
      }).pipe(Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))),
    left: () => Deadline.remaining,
    ticks: () => Stream.fromSchedule(Schedule.spaced("10 millis"))
  })
  const outer = Outer.toLayer(Effect.map(Slow, (slow) => ({
    sleepThenLeft: ({ millis }: { readonly millis: number }) => Effect.andThen(Effect.sleep(millis), slow.left())
  })))
  return { layer: Layer.provideMerge(outer, slow), started: () => started, interrupted }
})

const places: Readonly<Record<string, (layer: Layer.Layer<Slow>) => Layer.Layer<Slow>>> = {
  "in this process": (layer) => layer,
  "behind a codec": (layer) => Codec.layer(Slow, layer)
}

const isExceeded = (error: unknown, budget: number) => {
  assert.instanceOf(error, ServiceError.ServiceError)
  assert.strictEqual(error.reason._tag, "DeadlineExceeded")
  if (error.reason._tag === "DeadlineExceeded") assert.strictEqual(Duration.toMillis(error.reason.budget), budget)
}

describe("Deadline", () => {
  it.effect("interrupts a call that is not done at its deadline, and not a millisecond before", () =>
    Effect.gen(function*() {
      const { interrupted, layer } = yield* setUp
      const call = Slow.use((slow) => slow.sleep({ millis: 1000 })).pipe(
        Deadline.within("100 millis"),
        Effect.flip,
        Effect.provide(layer)
      )
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust("99 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      isExceeded(yield* Fiber.join(fiber), 100)
      yield* Deferred.await(interrupted)
    }))

  it.effect("refuses a call before any work when nothing is left", () =>
    Effect.gen(function*() {
      const { layer, started } = yield* setUp
      isExceeded(
        yield* Slow.use((slow) => slow.sleep({ millis: 1 })).pipe(
          Deadline.within(0),
          Effect.flip,
          Effect.provide(layer)
        ),
        0
      )
      assert.strictEqual(started(), 0)
    }))

  it.effect("keeps the earlier of two deadlines", () =>
    Effect.gen(function*() {
      const { layer } = yield* setUp
      const left = yield* Slow.use((slow) => slow.left()).pipe(
        Deadline.within("10 seconds"),
        Deadline.within("1 seconds"),
        Effect.provide(layer)
      )
      assert.deepStrictEqual(left, Option.some(Duration.seconds(1)))
      const inner = yield* Slow.use((slow) => slow.left()).pipe(
        Deadline.within("1 seconds"),
        Deadline.within("10 seconds"),
        Effect.provide(layer)
      )
      assert.deepStrictEqual(inner, Option.some(Duration.seconds(1)))
    }))

  it.effect("leaves to a service what the service that calls it has left", () =>
    Effect.gen(function*() {
      const { layer } = yield* setUp
      const call = Outer.use((outer) => outer.sleepThenLeft({ millis: 300 })).pipe(
        Deadline.within("1 seconds"),
        Effect.provide(layer)
      )
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust("300 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Option.some(Duration.millis(700)))
    }))

  it.effect("is no deadline where none was set", () =>
    Effect.gen(function*() {
      const { layer } = yield* setUp
      assert.deepStrictEqual(yield* Effect.provide(Slow.use((slow) => slow.left()), layer), Option.none())
    }))

  it.effect("ends a stream that has not ended by then, after the items that came before", () =>
    Effect.gen(function*() {
      const { layer } = yield* setUp
      const seen: Array<number> = []
      const run = Slow.use((slow) => Stream.runForEach(slow.ticks(), (tick) => Effect.sync(() => seen.push(tick))))
        .pipe(
          Deadline.within("35 millis"),
          Effect.flip,
          Effect.provide(layer)
        )
      const fiber = yield* Effect.forkChild(run, { startImmediately: true })
      yield* TestClock.adjust("1 seconds")
      isExceeded(yield* Fiber.join(fiber), 35)
      assert.deepStrictEqual(seen, [0, 1, 2])
    }))

  for (const [place, placed] of Object.entries(places)) {
    it.effect(`of who builds a service is none of its calls, ${place}`, () =>
      Effect.gen(function*() {
        const { layer } = yield* setUp
        const context = yield* Deadline.within(Layer.build(placed(layer)), "1 seconds")
        yield* TestClock.adjust("2 seconds")
        const slow = Context.get(context, Slow)
        assert.deepStrictEqual(yield* slow.left(), Option.none())
        const first = yield* Effect.forkChild(Stream.runHead(slow.ticks()), { startImmediately: true })
        yield* TestClock.adjust("10 millis")
        assert.deepStrictEqual(yield* Fiber.join(first), Option.some(0))
      }))
  }
})
