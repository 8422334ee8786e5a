import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError, Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Effect, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const socketPath = Effect.acquireRelease(
  Effect.sync(() => Path.join(Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-")), "s")),
  (path) => Effect.sync(() => Fs.rmSync(Path.dirname(path), { recursive: true }))
)

class Replica extends Model.Service<Replica>()("test/Skewed", [
  Rpc.make("grow", { payload: { text: Schema.String }, success: Schema.Struct({ text: Schema.String }) }),
  Rpc.make("shrink", { payload: { text: Schema.String, must: Schema.Int }, success: Schema.String }),
  Rpc.make("embed", { payload: { text: Schema.String }, success: Tensor.schema("float32", ["n"]) }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("check", { payload: { text: Schema.String.check(Schema.isMaxLength(3)) }, success: Schema.String })
]) {}

/** The same service as a caller knows it that was built at another time. */
class Caller extends Model.Service<Caller>()("test/Skewed", [
  Rpc.make("grow", {
    payload: { text: Schema.String, language: Schema.optionalKey(Schema.String) },
    success: Schema.Struct({ text: Schema.String, score: Schema.optionalKey(Schema.Finite) })
  }),
  Rpc.make("shrink", { payload: { text: Schema.String }, success: Schema.String }),
  Rpc.make("embed", { payload: { text: Schema.String }, success: Tensor.schema("float16", ["n"]) }),
  Rpc.make("count", {
    payload: { to: Schema.Int, by: Schema.optionalKey(Schema.Int) },
    success: Schema.Int,
    stream: true
  }),
  Rpc.make("check", { payload: { text: Schema.String }, success: Schema.String }),
  Rpc.make("translate", { payload: { text: Schema.String }, success: Schema.String }),
  Rpc.make("tokens", { success: Schema.String, stream: true })
]) {}

const withCaller = Effect.fnUntraced(function*<A, E, R>(
  use: (caller: Caller["Service"], calls: () => number) => Effect.Effect<A, E, R>
) {
  const address = { path: yield* socketPath }
  let calls = 0
  const counted = <B>(value: B) =>
    Effect.sync(() => {
      calls++
      return value
    })
  const live: Layer.Layer<Replica> = Replica.toLayer({
    grow: ({ text }) => counted({ text }),
    shrink: ({ text }) => counted(text),
    embed: () => counted(Tensor.zeros("float32", [2])),
    count: ({ to }) => Stream.fromEffect(counted(0)).pipe(Stream.flatMap(() => Stream.range(1, to))),
    check: ({ text }) => counted(text)
  })
  yield* Layer.build(Layer.provide(Socket.layerServer([Replica], address), live))
  return yield* Caller.use((caller) => use(caller, () => calls)).pipe(
    Effect.provide(Socket.layerClient(Caller, address))
  )
})

const mismatch = (error: unknown): string => {
  assert.instanceOf(error, ServiceError.ServiceError)
  assert.strictEqual(error.reason._tag, "ContractMismatch")
  return error.message
}

describe("a caller and a replica with different contracts", () => {
  it.live("understand each other where one has added optional fields", () =>
    withCaller(Effect.fnUntraced(function*(caller, calls) {
      assert.deepStrictEqual(yield* caller.grow({ text: "a", language: "en" }), { text: "a" })
      assert.deepStrictEqual(yield* caller.grow({ text: "b" }), { text: "b" })
      assert.strictEqual(calls(), 2)
    })))

  it.live("understand each other in a stream too", () =>
    withCaller(Effect.fnUntraced(function*(caller, calls) {
      assert.deepStrictEqual(yield* Stream.runCollect(caller.count({ to: 3, by: 1 })), [1, 2, 3])
      assert.strictEqual(calls(), 1)
    })))

  it.live("name the field that the replica must have, before the handler runs", () =>
    withCaller(Effect.fnUntraced(function*(caller, calls) {
      const message = mismatch(yield* Effect.flip(caller.shrink({ text: "a" })))
      assert.include(message, "test/Skewed.shrink")
      assert.include(message, "payload.must")
      assert.strictEqual(calls(), 0)
    })))

  it.live("name the tensors in which they differ, before the handler runs", () =>
    withCaller(Effect.fnUntraced(function*(caller, calls) {
      const message = mismatch(yield* Effect.flip(caller.embed({ text: "a" })))
      assert.include(message, "success: the replica sends float32")
      assert.include(message, "the caller takes float16")
      assert.strictEqual(calls(), 0)
    })))

  it.live("name the method that only the caller knows", () =>
    withCaller(Effect.fnUntraced(function*(caller) {
      assert.include(mismatch(yield* Effect.flip(caller.translate({ text: "a" }))), "has no such method")
      assert.include(mismatch(yield* Effect.flip(Stream.runDrain(caller.tokens()))), "has no such method")
    })))

  it.live("call a payload invalid that breaks a rule which only the replica has", () =>
    withCaller(Effect.fnUntraced(function*(caller, calls) {
      const error = yield* Effect.flip(caller.check({ text: "too long" }))
      assert.strictEqual(error.reason._tag, "InvalidPayload")
      assert.include(error.message, "text")
      assert.strictEqual(yield* caller.check({ text: "fit" }), "fit")
      assert.strictEqual(calls(), 1)
    })))
})
