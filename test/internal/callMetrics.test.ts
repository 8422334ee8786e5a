import { assert, describe, it } from "@effect/vitest"
import { Codec, Deadline, Model, ServiceError } from "chorale"
import { Deferred, Effect, Fiber, Layer, Metric, References, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"

class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

class Model1 extends Model.Service<Model1>()("test/Model", [
  Rpc.make("run", { payload: { how: Schema.String }, error: Declined }),
  Rpc.make("count", { success: Schema.Int, stream: true })
]) {}

class Pipeline extends Model.Service<Pipeline>()("test/Pipeline", [Rpc.make("run")]) {}

const ModelLive = Model1.toLayer({
  run: ({ how }): Effect.Effect<void, Declined | ServiceError.Unavailable> => {
    switch (how) {
      case "decline":
        return Effect.fail(new Declined())
      case "unavailable":
        return Effect.fail(new ServiceError.Unavailable({ detail: "down" }))
      case "crash":
        return Effect.die("a bug")
      case "never":
        return Effect.never
      default:
        return Effect.void
    }
  },
  count: () => Stream.range(1, 3)
})

const PipelineLive = Pipeline.toLayer(Effect.map(Model1, (model) => ({
  run: () => Effect.orDie(model.run({ how: "well" }))
})))

const layer = Layer.provideMerge(PipelineLive, ModelLive)

/** The series of a metric, as `attributes: value`. */
const series = (id: string) =>
  Effect.map(
    Metric.snapshot,
    (snapshots) =>
      snapshots.filter((snapshot) => snapshot.id === id).map(({ attributes, state }): Readonly<
        Record<string, unknown>
      > => ({
        ...attributes,
        value: "count" in state ? Number(state.count) : "value" in state ? Number(state.value) : NaN
      }))
  )

const measured = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.provide(layer), Effect.provideService(Metric.MetricRegistry, new Map()))

describe("the metrics of calls", () => {
  it.effect("count the calls of each edge by how they ended", () =>
    measured(Effect.gen(function*() {
      const model = yield* Model1
      for (const how of ["well", "well", "decline", "unavailable", "crash"]) yield* Effect.exit(model.run({ how }))
      const late = yield* Effect.forkChild(Effect.flip(Deadline.within(model.run({ how: "never" }), "1 seconds")), {
        startImmediately: true
      })
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(late)
      const left = yield* Effect.forkChild(model.run({ how: "never" }), { startImmediately: true })
      yield* Fiber.interrupt(left)
      const counts = Object.fromEntries(
        (yield* series("chorale_call_duration_seconds")).map(({ outcome, value }) => [outcome, value])
      )
      assert.deepStrictEqual(counts, {
        success: 2,
        error: 1,
        Unavailable: 1,
        defect: 1,
        DeadlineExceeded: 1,
        interrupted: 1
      })
    })))

  it.effect("name the service that called", () =>
    measured(Effect.gen(function*() {
      yield* Pipeline.use((pipeline) => pipeline.run())
      const edges = yield* series("chorale_call_duration_seconds")
      assert.deepStrictEqual(edges, [
        { caller: "test/Pipeline", callee: "test/Model", method: "run", outcome: "success", value: 1 },
        { caller: "application", callee: "test/Pipeline", method: "run", outcome: "success", value: 1 }
      ])
    })))

  it.effect("count a stream until it has ended", () =>
    measured(Effect.gen(function*() {
      const model = yield* Model1
      const first = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Stream.runForEach(model.count(), () => Effect.andThen(Deferred.succeed(first, undefined), Effect.never))
      )
      yield* Deferred.await(first)
      const running = (yield* series("chorale_calls_in_flight")).filter(({ value }) => Number(value) > 0)
      assert.deepStrictEqual(running, [{ callee: "test/Model", method: "count", value: 1 }])
      yield* Fiber.interrupt(reading)
      assert.isTrue((yield* series("chorale_calls_in_flight")).every(({ value }) => value === 0))
    })))

  for (const [place, placed] of Object.entries({ here: layer, "behind a codec": Codec.layer(Model1, ModelLive) })) {
    it.effect(`lose no call that is interrupted before it has begun, ${place}`, () =>
      Effect.gen(function*() {
        const model = yield* Model1
        // A fiber that yields too often gets nowhere: what comes before the call makes up for that.
        const before = Array.from({ length: 10 }, () => Effect.void)
        const stopAfter = (operations: number, call: Effect.Effect<unknown, unknown>) =>
          before.reduce((rest, step) => Effect.andThen(step, rest), call).pipe(
            Effect.provideService(References.MaxOpsBeforeYield, operations),
            Effect.forkChild({ startImmediately: true }),
            Effect.andThen(Fiber.interrupt)
          )
        for (let operations = 8; operations < 100; operations++) {
          yield* stopAfter(operations, model.run({ how: "never" }))
          yield* stopAfter(operations, Stream.runDrain(model.count()))
        }
        assert.isTrue((yield* series("chorale_calls_in_flight")).every(({ value }) => value === 0))
      }).pipe(Effect.provide(placed), Effect.provideService(Metric.MetricRegistry, new Map())))
  }

  it.effect("forget the gauge of a service that was released", () =>
    Effect.gen(function*() {
      yield* Effect.provide(Pipeline.use((pipeline) => pipeline.run()), layer)
      assert.deepStrictEqual(yield* series("chorale_calls_in_flight"), [])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
