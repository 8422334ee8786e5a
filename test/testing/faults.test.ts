import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError, Tensor } from "chorale"
import { Fake, Faults } from "chorale/testing"
import { Duration, Effect, Exit, Fiber, Layer, Result, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"

const Pixels = Tensor.schema("float32", ["n"])

class Reader extends Model.Service<Reader>()("test/Reader", [
  Rpc.make("read", { payload: { page: Schema.Int }, success: Schema.String }),
  Rpc.make("pixels", { success: Schema.Struct({ page: Schema.Int, tensor: Pixels }) }),
  Rpc.make("lines", { success: Pixels, stream: true })
]) {}

const tensor = Tensor.make("float32", [3], Float32Array.of(1, 2, 3))

const reader = Fake.layer(Reader, {
  read: ({ page }) => Fake.succeed(`page ${page}`),
  pixels: Fake.always(Fake.succeed({ page: 1, tensor })),
  lines: Fake.always(Fake.items([tensor, tensor, tensor]))
})

const overloaded = new ServiceError.Overloaded({ retryAfter: Duration.seconds(1) })

const withFaults = (faults: ReadonlyArray<Faults.Fault>) => Faults.inject(Reader, Faults.script(faults))(reader)

const reasonOf = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(call), (error) => {
    assert.instanceOf(error, ServiceError.ServiceError)
    assert.strictEqual(error.service, Reader.key)
    return error.reason._tag
  })

describe("Faults", () => {
  it.effect("happen to one call each, in order, and then no more", () =>
    Effect.gen(function*() {
      const { read } = yield* Reader
      assert.strictEqual(yield* read({ page: 1 }), "page 1")
      assert.strictEqual(yield* reasonOf(read({ page: 2 })), "Overloaded")
      assert.strictEqual(yield* reasonOf(read({ page: 3 })), "Unavailable")
      assert.strictEqual(yield* read({ page: 4 }), "page 4")
    }).pipe(Effect.provide(withFaults([Faults.none, Faults.fail(overloaded), Faults.disconnect()]))))

  it.effect("lose a call, which can still be interrupted, before its handler", () =>
    Effect.gen(function*() {
      const { read } = yield* Reader
      const lost = yield* Effect.forkChild(read({ page: 1 }))
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(lost.pollUnsafe())
      yield* Fiber.interrupt(lost)
      yield* read({ page: 2 })
      assert.deepStrictEqual((yield* Fake.calls(Reader)).map(({ payload }) => payload), [{ page: 2 }])
    }).pipe(Effect.provide(Layer.provideMerge(withFaults([Faults.drop]), reader))))

  it.effect("delay a call in the time of the clock", () =>
    Effect.gen(function*() {
      const { read } = yield* Reader
      const call = yield* Effect.forkChild(read({ page: 1 }))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(call), "page 1")
    }).pipe(Effect.provide(withFaults([Faults.delay("1 second")]))))

  it.effect("lose the answer of a handler that has run", () =>
    Effect.gen(function*() {
      const { read } = yield* Reader
      assert.strictEqual(yield* reasonOf(read({ page: 1 })), "Unavailable")
      assert.strictEqual((yield* Fake.calls(Reader))[0]?.outcome, "succeeded")
    }).pipe(Effect.provide(Layer.provideMerge(withFaults([Faults.disconnect()]), reader))))

  it.effect("change one bit of a tensor in an answer, in a copy of it", () =>
    Effect.gen(function*() {
      const { pixels, read } = yield* Reader
      const { page, tensor: damaged } = yield* pixels()
      assert.strictEqual(page, 1)
      assert.deepStrictEqual([damaged.dtype, damaged.shape], [tensor.dtype, tensor.shape])
      assert.notDeepEqual(damaged.data, tensor.data)
      assert.deepStrictEqual(tensor.data, Float32Array.of(1, 2, 3))
      assert.strictEqual(yield* reasonOf(read({ page: 1 })), "ContractMismatch")
    }).pipe(Effect.provide(withFaults([Faults.corrupt, Faults.corrupt]))))

  it.effect("happen to streams", () =>
    Effect.gen(function*() {
      const { lines } = yield* Reader
      const seen: Array<unknown> = []
      const read = Stream.runForEach(lines(), (line) => Effect.sync(() => seen.push(line)))
      assert.strictEqual(yield* reasonOf(read), "Unavailable")
      assert.deepStrictEqual(seen, [tensor, tensor])
      const [first, ...others] = yield* Stream.runCollect(lines())
      assert.notDeepEqual(first, tensor)
      assert.deepStrictEqual(others, [tensor, tensor])
      assert.strictEqual(yield* reasonOf(Stream.runDrain(lines())), "Overloaded")
      const late = yield* Effect.forkChild(Stream.runCollect(lines()))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(late)).length, 3)
      const lost = yield* Effect.forkChild(Stream.runDrain(lines()))
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(lost.pollUnsafe())
      yield* Fiber.interrupt(lost)
      assert.strictEqual((yield* Stream.runCollect(lines())).length, 3)
    }).pipe(Effect.provide(withFaults([
      Faults.disconnect({ afterItems: 2 }),
      Faults.corrupt,
      Faults.fail(overloaded),
      Faults.delay("1 second"),
      Faults.drop
    ]))))

  it.effect("happen by chance as often as they should, and to the same calls with the same seed", () =>
    Effect.gen(function*() {
      const outcomes = (seed: number) => {
        const plan = Faults.random({ seed, faults: [[0.25, Faults.fail(overloaded)], [0.25, Faults.disconnect()]] })
        return Reader.use(({ read }) => Effect.replicateEffect(Effect.result(read({ page: 1 })), 2000)).pipe(
          Effect.map((results) => results.map((result) => Result.isSuccess(result) ? "-" : result.failure.reason._tag)),
          Effect.provide(Faults.inject(Reader, plan)(reader), { local: true })
        )
      }
      const [first, again, other] = [yield* outcomes(1), yield* outcomes(1), yield* outcomes(2)]
      assert.deepStrictEqual(first, again)
      assert.notDeepEqual(first, other)
      assert.approximately(first.filter((tag) => tag === "Overloaded").length, 500, 100)
      assert.approximately(first.filter((tag) => tag === "Unavailable").length, 500, 100)
    }))

  it.effect("spare the methods that a plan does not name, and do not count them", () =>
    Effect.gen(function*() {
      const { pixels, read } = yield* Reader
      assert.strictEqual(yield* read({ page: 1 }), "page 1")
      assert.strictEqual(yield* reasonOf(pixels()), "Overloaded")
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(pixels())))
    }).pipe(
      Effect.provide(Faults.inject(Reader, Faults.only(["pixels"], Faults.script([Faults.fail(overloaded)])))(reader))
    ))
})
