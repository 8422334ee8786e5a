import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, ServiceError, Tensor, Traffic } from "chorale"
import { Context, Duration, Effect, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { type Behaviour, makeWork, outcome, Refused, start, tagOf, Work } from "./work.ts"

interface Options {
  readonly capacity?: number
  readonly errorTimeToLive?: number
}

const withCache = <A, E>(
  use: (
    call: (id: number, millis?: number) => Effect.Effect<number, unknown>,
    seen: ReturnType<typeof makeWork>["seen"]
  ) => Effect.Effect<A, E>,
  options: Options = {},
  behaviour?: Behaviour
) =>
  Effect.suspend(() => {
    const { layer, seen } = makeWork(behaviour)
    return Effect.flatMap(Work, (work) => use((id, millis = 0) => work.run({ id, millis }), seen)).pipe(
      Effect.provide(layer.pipe(Traffic.cache({ methods: ["run"], capacity: 1e6, timeToLive: 1000, ...options })))
    )
  })

class Embedder extends Model.Service<Embedder>()("test/Embedder", [
  Rpc.make("embed", {
    payload: {
      image: Tensor.schema("float32", ["n"]),
      options: Schema.Record(Schema.String, Schema.Number),
      at: Schema.optionalKey(Schema.Date)
    },
    success: Tensor.schema("float32", ["n"])
  })
]) {}

describe("Traffic.cache", () => {
  it.effect("answers an equal call from memory until its time is over", () =>
    withCache(Effect.fnUntraced(function*(call, seen) {
      assert.deepStrictEqual([yield* call(1), yield* call(2), yield* call(1)], [1, 2, 1])
      assert.deepStrictEqual(seen.started, [1, 2])
      yield* TestClock.adjust(999)
      yield* call(1)
      assert.deepStrictEqual(seen.started, [1, 2])
      yield* TestClock.adjust(1)
      yield* call(1)
      assert.deepStrictEqual(seen.started, [1, 2, 1])
    })))

  it.effect("computes once for equal calls at the same time", () =>
    withCache(Effect.fnUntraced(function*(call, seen) {
      const fibers = yield* Effect.forEach([1, 1, 1], (id) => start(call(id, 100)))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), [1, 1, 1])
      assert.deepStrictEqual(seen.started, [1])
    })))

  it.effect("goes on for the others when the call that began is interrupted, and ends with the last", () =>
    withCache(Effect.fnUntraced(function*(call, seen) {
      const [first, second, third] = yield* Effect.forEach([1, 1, 1], (id) => start(call(id, 100)))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(first!)
      yield* Fiber.interrupt(second!)
      yield* TestClock.adjust(50)
      assert.strictEqual(outcome(third!), "answered")
      const alone = yield* start(call(2, 100))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(alone)
      assert.deepStrictEqual(seen.interrupted, [2])
      const again = yield* start(call(2, 100))
      yield* TestClock.adjust(100)
      assert.strictEqual(outcome(again), "answered")
      assert.deepStrictEqual(seen.started, [1, 2, 2])
    })))

  it.effect("fails all that wait with the same error, and keeps none", () =>
    withCache(
      Effect.fnUntraced(function*(call, seen) {
        const fibers = yield* Effect.forEach([1, 1], (id) => start(call(id, 100)))
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(fibers.map(outcome), ["Unavailable", "Unavailable"])
        const next = yield* start(call(1, 100))
        yield* TestClock.adjust(100)
        assert.strictEqual(outcome(next), "Unavailable")
        assert.deepStrictEqual(seen.started, [1, 1])
      }),
      { errorTimeToLive: 1000 },
      ({ millis }) =>
        Effect.andThen(Effect.sleep(millis), Effect.fail(new ServiceError.Unavailable({ detail: "down" })))
    ))

  it.effect("keeps errors of the model only where it is asked to, and defects never", () =>
    Effect.gen(function*() {
      const behaviour: Behaviour = ({ id }) => id === 0 ? Effect.die("a bug") : Effect.fail(new Refused({ id }))
      const twice = (options: Options, id: number) =>
        withCache(
          Effect.fnUntraced(function*(call, seen) {
            yield* Effect.exit(call(id))
            yield* Effect.exit(call(id))
            return seen.started.length
          }),
          options,
          behaviour
        )
      assert.strictEqual(yield* twice({}, 1), 2)
      assert.strictEqual(yield* twice({ errorTimeToLive: 1000 }, 1), 1)
      assert.strictEqual(yield* twice({ errorTimeToLive: 1000 }, 0), 2)
    }))

  it.effect("forgets the answer used least recently when the memory is full", () =>
    withCache(
      Effect.fnUntraced(function*(call, seen) {
        yield* call(1)
        yield* call(2)
        yield* call(1)
        yield* call(3)
        yield* call(1)
        assert.deepStrictEqual(seen.started, [1, 2, 3])
        yield* call(2)
        assert.deepStrictEqual(seen.started, [1, 2, 3, 2])
      }),
      { capacity: 700 }
    ))

  it.effect("forgets nothing for an answer that is larger than its memory", () =>
    Effect.gen(function*() {
      let computed = 0
      const layer = Embedder.toLayer({ embed: ({ image }) => Effect.sync(() => (computed++, image)) }).pipe(
        Traffic.cache({ methods: ["embed"], capacity: 2000, timeToLive: 1000 })
      )
      const embedder = Context.get(yield* Layer.build(layer), Embedder)
      const small = { image: Tensor.zeros("float32", [1]), options: {} }
      yield* embedder.embed(small)
      yield* embedder.embed({ image: Tensor.zeros("float32", [1000]), options: {} })
      yield* embedder.embed(small)
      assert.strictEqual(computed, 2)
    }))

  it.effect("counts all the memory that an answer keeps from being freed", () =>
    Effect.gen(function*() {
      let computed = 0
      const layer = Embedder.toLayer({
        embed: ({ image: { data } }) =>
          Effect.sync(() => {
            computed++
            return Tensor.make("float32", [1], new Float32Array(data[0] ?? 0).subarray(0, 1))
          })
      }).pipe(Traffic.cache({ methods: ["embed"], capacity: 10_000, timeToLive: 1000 }))
      const embedder = Context.get(yield* Layer.build(layer), Embedder)
      const embed = (floats: number) =>
        embedder.embed({ image: Tensor.make("float32", [1], Float32Array.of(floats)), options: {} })
      yield* embed(2000)
      yield* embed(2000)
      assert.strictEqual(computed, 1)
      yield* embed(3000)
      yield* embed(3000)
      assert.strictEqual(computed, 3)
    }))

  it.effect("does not keep an answer that is larger than its memory", () =>
    withCache(
      Effect.fnUntraced(function*(call, seen) {
        yield* call(1)
        yield* call(1)
        assert.deepStrictEqual(seen.started, [1, 1])
      }),
      { capacity: 100 }
    ))

  it.effect("lets a call fail at its own deadline while another waits on", () =>
    withCache(Effect.fnUntraced(function*(call, seen) {
      const patient = yield* start(call(1, 100))
      const hurried = yield* start(Deadline.within(call(1, 100), 50))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual([patient, hurried].map(outcome), ["waits", "DeadlineExceeded"])
      yield* TestClock.adjust(50)
      assert.strictEqual(outcome(patient), "answered")
      assert.deepStrictEqual(seen.started, [1])
    })))

  it.effect("begins anew for a call that has time when the one that began had no more", () =>
    withCache(Effect.fnUntraced(function*(call, seen) {
      const hurried = yield* start(Deadline.within(call(1, 100), 50))
      const patient = yield* start(call(1, 100))
      const bounded = yield* start(Deadline.within(call(1, 100), 500))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual([hurried, patient].map(outcome), ["DeadlineExceeded", "waits"])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual([patient, bounded].map(outcome), ["answered", "answered"])
      assert.deepStrictEqual(seen.started, [1, 1])
    })))

  it.effect("knows payloads by their values and bytes", () =>
    Effect.gen(function*() {
      let computed = 0
      const layer = Embedder.toLayer({ embed: ({ image }) => Effect.sync(() => (computed++, image)) }).pipe(
        Traffic.cache({ methods: ["embed"], capacity: "1 MiB", timeToLive: 1000 })
      )
      const embedder = yield* Effect.provide(Embedder, layer)
      const image = (...values: ReadonlyArray<number>) =>
        Tensor.make("float32", [values.length], Float32Array.from(values))
      const options = { a: 1, b: 2 }
      const answer = yield* embedder.embed({ image: image(1, 2), options })
      assert.strictEqual(yield* embedder.embed({ image: image(1, 2), options: { b: 2, a: 1 } }), answer)
      assert.strictEqual(computed, 1)
      const reused = image(1, 3)
      const different = [
        { image: image(1, 2.0000002), options },
        { image: image(1, -0), options },
        { image: image(1, 0), options },
        { image: image(1), options },
        { image: image(1, 2), options: { a: 1, b: -0 } },
        { image: image(1, 2), options: { a: 1, b: 0 } },
        { image: image(1, 2), options: { a: 1, b: Number.NaN } },
        { image: image(1, 2), options: { "a\":1,\"b": 2 } },
        { image: image(1, 2), options, at: new Date(0) },
        { image: image(1, 2), options, at: new Date(1) },
        { image: reused, options }
      ]
      for (const payload of different) yield* embedder.embed(payload)
      assert.strictEqual(computed, 1 + different.length)
      // What is in the cache does not change with the memory of a payload that was sent.
      reused.data[1] = 4
      yield* embedder.embed({ image: image(1, 4), options })
      yield* embedder.embed({ image: image(1, 3), options })
      assert.strictEqual(computed, 2 + different.length)
    }))

  it.effect("tells apart what a contract encodes alike, and knows objects of classes by what it encodes", () =>
    Effect.gen(function*() {
      class Point extends Schema.Class<Point>("test/Point")({ x: Schema.Finite }) {}
      class Mixed extends Model.Service<Mixed>()("test/Mixed", [
        Rpc.make("either", {
          payload: { value: Schema.Union([Schema.String, Schema.Number, Schema.BigInt, Schema.Date]) },
          success: Schema.Int
        }),
        Rpc.make("any", { payload: { value: Schema.Unknown }, success: Schema.Int }),
        Rpc.make("at", {
          payload: { point: Point, within: Schema.Duration, names: Schema.ReadonlySet(Schema.String) },
          success: Schema.Int
        })
      ]) {}
      let computed = 0
      const compute = () => Effect.sync(() => ++computed)
      const layer = Mixed.toLayer({ either: compute, any: compute, at: compute }).pipe(
        Traffic.cache({ methods: ["either", "any", "at"], capacity: "1 MiB", timeToLive: 1000 })
      )
      const mixed = Context.get(yield* Layer.build(layer), Mixed)
      const alike = [NaN, "NaN", 1n, "1", 1, new Date(0), "1970-01-01T00:00:00.000Z", "Date(0)", -0, 0]
      for (let round = 0; round < 2; round++) for (const value of alike) yield* mixed.either({ value })
      assert.strictEqual(computed, alike.length)

      const unknown = [new Date(1), new Date(2), new Map([[1, 2]]), new Map(), new Set(), {}, 1n, null, undefined, [
        0,
        0
      ]]
      for (let round = 0; round < 2; round++) for (const value of unknown) yield* mixed.any({ value })
      assert.strictEqual(computed, alike.length + unknown.length)

      const at = (x: number, within: number, ...names: ReadonlyArray<string>) =>
        mixed.at({ point: new Point({ x }), within: Duration.millis(within), names: new Set(names) })
      const first = yield* at(1, 2, "a")
      assert.strictEqual(yield* at(1, 2, "a"), first)
      const others = [yield* at(2, 2, "a"), yield* at(1, 3, "a"), yield* at(1, 2, "b"), yield* at(1, 2)]
      assert.strictEqual(new Set([first, ...others]).size, 5)
    }))

  it.effect("refuses a payload that does not fit as a call without it does", () =>
    withCache(Effect.fnUntraced(function*(call, seen) {
      assert.strictEqual(tagOf(yield* Effect.flip(call(0.5))), "InvalidPayload")
      assert.deepStrictEqual(seen.started, [])
    })))
})
