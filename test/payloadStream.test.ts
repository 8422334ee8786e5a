import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, Remote, ServiceError, Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Deferred, Effect, Fiber, Layer, Ref, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { serve } from "./fixtures/server.ts"

class Hoarse extends Schema.TaggedError<Hoarse>()("Hoarse", { after: Schema.Int }) {}

class Adder extends Model.Service<Adder>()("test/Adder", [
  Rpc.make("sum", {
    payload: { scale: Schema.Int, values: Model.streamOf(Tensor.schema("float32", ["n"]), Hoarse) },
    success: Schema.Finite,
    error: Hoarse
  }),
  Rpc.make("doubled", { payload: { values: Model.streamOf(Schema.Int) }, success: Schema.Int, stream: true }),
  Rpc.make("first", { payload: { values: Model.streamOf(Schema.Int) }, success: Schema.Int })
]) {}

const AdderLive = Adder.toLayer({
  sum: ({ scale, values }) =>
    Stream.runFold(values, () => 0, (sum, { data }) => sum + scale * data.reduce((a, b) => a + b, 0)),
  doubled: ({ values }) => Stream.map(values, (value) => 2 * value),
  first: ({ values }) =>
    Effect.flatMap(Stream.runCollect(Stream.take(values, 1)), ([value]) => Effect.succeed(value ?? -1))
})

const overSocket = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
    (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
  )
  const address = { path: Path.join(directory, "s") }
  yield* Layer.build(Layer.provide(Socket.layerServer([Adder], address), AdderLive))
  return Socket.layerClient(Adder, address)
}))

const overHttp = Layer.unwrap(
  Effect.map(
    serve(Adder, AdderLive),
    (url) => Layer.provide(Remote.layerHttp(Adder, { url }), NodeHttpClient.layerUndici)
  )
)

const locations: Readonly<Record<string, Layer.Layer<Adder, unknown>>> = {
  "in this process": AdderLive,
  "over a socket": overSocket,
  "over HTTP": overHttp
}

for (const [where, layer] of Object.entries(locations)) {
  const withAdder = <A, E, R>(use: (adder: Adder["Service"]) => Effect.Effect<A, E, R>) =>
    Effect.provide(Adder.use(use), layer)

  describe(`a stream in a payload, ${where}`, () => {
    it.live("arrives with exactly its items", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const values = Stream.map(
          Stream.range(1, 500),
          (value) => Tensor.make("float32", [2], Float32Array.of(value, 1))
        )
        assert.strictEqual(yield* adder.sum({ scale: 2, values }), 2 * (500 * 501 / 2 + 500))
      })))

    it.live("goes in while another comes out, item for item", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const turn = yield* Ref.make<ReadonlyArray<string>>([])
        const note = (text: string) => Ref.update(turn, (all) => [...all, text])
        const answered = yield* Deferred.make<void>()
        const values = Stream.make(1, 2).pipe(
          Stream.tap((value) => value === 2 ? Deferred.await(answered) : Effect.void),
          Stream.tap((value) => note(`in ${value}`))
        )
        yield* Stream.runForEach(adder.doubled({ values }), (value) =>
          Effect.andThen(note(`out ${value}`), Deferred.succeed(answered, undefined)))
        assert.deepStrictEqual(yield* Ref.get(turn), ["in 1", "out 2", "in 2", "out 4"])
      })))

    it.live("stops its producer when the handler has enough", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const stopped = yield* Deferred.make<void>()
        const values = Stream.make(7).pipe(
          Stream.concat(Stream.never),
          Stream.onExit(() => Deferred.succeed(stopped, undefined))
        )
        assert.strictEqual(yield* adder.first({ values }), 7)
        yield* Deferred.await(stopped)
      })))

    it.live("fails in the handler with its own error", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const values = Stream.make(Tensor.zeros("float32", [1])).pipe(
          Stream.concat(Stream.fail(new Hoarse({ after: 1 })))
        )
        const error = yield* Effect.flip(adder.sum({ scale: 1, values }))
        assert.instanceOf(error, Hoarse)
        assert.strictEqual(error.after, 1)
      })))

    it.live("stops its producer when the caller is interrupted", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const started = yield* Deferred.make<void>()
        const stopped = yield* Deferred.make<void>()
        const values = Stream.fromEffect(Deferred.succeed(started, undefined)).pipe(
          Stream.flatMap(() => Stream.never),
          Stream.onExit(() => Deferred.succeed(stopped, undefined))
        )
        const call = yield* Effect.forkChild(Stream.runDrain(adder.doubled({ values })))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(call)
        yield* Deferred.await(stopped)
      })))

    it.live("is refused where an item does not fit", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const error = yield* Effect.flip(Stream.runDrain(adder.doubled({ values: Stream.make(1, 0.5) })))
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.strictEqual(error.reason._tag, "InvalidPayload")
      })))

    it.live("ends with the deadline of its call", () =>
      withAdder(Effect.fnUntraced(function*(adder) {
        const error = yield* Effect.flip(
          Deadline.within(Stream.runDrain(adder.doubled({ values: Stream.never })), "50 millis")
        )
        assert.strictEqual(error.reason._tag, "DeadlineExceeded")
      })))
  })
}
