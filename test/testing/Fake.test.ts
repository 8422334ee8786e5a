import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError } from "chorale"
import { Fake } from "chorale/testing"
import { Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"

class Blurred extends Schema.TaggedError<Blurred>()("Blurred", { page: Schema.Int }) {}

class Reader extends Model.Service<Reader>()("test/Reader", [
  Rpc.make("read", { payload: { page: Schema.Int }, success: Schema.String, error: Blurred }),
  Rpc.make("lines", { payload: { page: Schema.Int }, success: Schema.String, error: Blurred, stream: true }),
  Rpc.make("close")
]) {}

const page = { page: 1 }

describe("Fake", () => {
  it.effect("does one step a call, and says when there are no more", () =>
    Effect.gen(function*() {
      const reader = yield* Reader
      assert.strictEqual(yield* reader.read(page), "one")
      assert.instanceOf(yield* Effect.flip(reader.read(page)), Blurred)
      const unavailable = yield* Effect.flip(reader.read(page))
      assert.instanceOf(unavailable, ServiceError.ServiceError)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(reader.read(page))))
      const after = yield* Effect.exit(reader.read(page))
      assert.include(String(Exit.isFailure(after) && after.cause), "call 5 of a method whose script has 4 steps")
    }).pipe(Effect.provide(Fake.layer(Reader, {
      read: Fake.script([
        Fake.succeed("one"),
        Fake.fail(new Blurred(page)),
        Fake.fail(new ServiceError.Unavailable({ detail: "down" })),
        Fake.die("a bug")
      ])
    }))))

  it.effect("waits in the time of the clock", () =>
    Effect.gen(function*() {
      const reader = yield* Reader
      const call = yield* Effect.forkChild(reader.read(page))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(call), "late")
    }).pipe(Effect.provide(Fake.layer(Reader, {
      read: Fake.always(Fake.delay("1 second", Fake.delay("1 second", Fake.succeed("late"))))
    }))))

  it.effect("delivers items, then ends or fails", () =>
    Effect.gen(function*() {
      const reader = yield* Reader
      assert.deepStrictEqual(yield* Stream.runCollect(reader.lines(page)), ["a", "b"])
      const seen: Array<string> = []
      const failing = Stream.runForEach(reader.lines(page), (line) => Effect.sync(() => seen.push(line)))
      const call = yield* Effect.forkChild(Effect.flip(failing))
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(seen, ["c"])
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.instanceOf(yield* Fiber.join(call), Blurred)
      assert.deepStrictEqual(yield* Stream.runCollect(reader.lines(page)), ["a", "b"])
    }).pipe(Effect.provide(Fake.layer(Reader, {
      lines: Fake.cycle([
        Fake.items(["a", "b"]),
        Fake.items(["c"], Fake.delay("1 minute", Fake.fail(new Blurred(page))))
      ])
    }))))

  it.effect("records each call with its payload, its time and what became of it", () =>
    Effect.gen(function*() {
      const reader = yield* Reader
      yield* TestClock.adjust("5 seconds")
      yield* reader.read({ page: 2 })
      yield* Effect.exit(reader.read({ page: 3 }))
      const waiting = yield* Effect.forkChild(reader.read({ page: 4 }))
      yield* TestClock.adjust("1 second")
      const recorded = yield* Fake.calls(Reader)
      const at = 5000
      const expected: typeof recorded = [
        { method: "read", payload: { page: 2 }, at, outcome: "succeeded" },
        { method: "read", payload: { page: 3 }, at, outcome: "failed" },
        { method: "read", payload: { page: 4 }, at, outcome: "running" }
      ]
      assert.deepStrictEqual(recorded, expected)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* Fake.calls(Reader))[2]?.outcome, "interrupted")
      yield* reader.close()
      assert.deepInclude((yield* Fake.calls(Reader))[3], { method: "close", outcome: "succeeded" })
    }).pipe(Effect.provide(Fake.layer(Reader, {
      read: (payload) =>
        payload.page === 3 ? Fake.fail(new Blurred(payload)) : payload.page === 4 ? Fake.never : Fake.succeed("x"),
      close: Fake.always(Fake.succeed(undefined))
    }))))

  it.effect("neither takes a step nor records a call for a payload that does not fit", () =>
    Effect.gen(function*() {
      const reader = yield* Reader
      const error = yield* Effect.flip(reader.read({ page: 0.5 }))
      assert.strictEqual(error._tag, "ServiceError")
      assert.deepStrictEqual(yield* Fake.calls(Reader), [])
      assert.strictEqual(yield* reader.read(page), "first")
    }).pipe(Effect.provide(Fake.layer(Reader, { read: Fake.script([Fake.succeed("first")]) }))))

  it.effect("dies in a method without a script, and says which", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Reader.use((reader) => reader.close()))
      assert.include(String(Exit.isFailure(exit) && exit.cause), "no script for close")
    }).pipe(Effect.provide(Fake.layer(Reader, {}))))

  it.effect("keeps the records of two fakes apart, and of each time that one is built", () =>
    Effect.gen(function*() {
      class Other extends Model.Service<Other>()("test/Other", [Rpc.make("ping", { success: Schema.Int })]) {}
      const reader = Fake.layer(Reader, { read: Fake.always(Fake.succeed("x")) })
      const both = Layer.merge(reader, Fake.layer(Other, { ping: (_, call) => Fake.succeed(call) }))
      const program = Effect.gen(function*() {
        yield* (yield* Reader).read(page)
        const other = yield* Other
        assert.deepStrictEqual([yield* other.ping(), yield* other.ping()], [0, 1])
        assert.strictEqual((yield* Fake.calls(Reader)).length, 1)
        assert.strictEqual((yield* Fake.calls(Other)).length, 2)
      })
      yield* Effect.provide(program, both, { local: true })
      yield* Effect.provide(program, both, { local: true })
    }))
})
