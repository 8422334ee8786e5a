import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError, Tensor } from "chorale"
import { Context, Deferred, Effect, Layer, Ref, Schema, Stream, Tracer } from "effect"
import { Rpc } from "effect/rpc"
import { Echo, echoLive, makeWaiting } from "./fixtures/echo.ts"
import { keepsItsPromises, type WithService } from "./fixtures/promises.ts"

const withEcho: WithService = (use) =>
  Effect.flatMap(
    makeWaiting,
    (waiting) => Effect.provide(Effect.flatMap(Echo, (echo) => use(echo, waiting)), echoLive(waiting))
  )

describe("Model", () => {
  keepsItsPromises(withEcho)

  it.effect("passes a tensor to its handler and back as the same object", () =>
    withEcho(Effect.fnUntraced(function*(echo) {
      const tensor = Tensor.zeros("float32", [2, 2])
      assert.strictEqual(yield* echo.tensor({ tensor }), tensor)
    })))

  it.effect("names its service and method in a reason that a handler fails with", () =>
    withEcho(Effect.fnUntraced(function*(echo) {
      const error = yield* Effect.flip(echo.shed())
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.service, "test/Echo")
      assert.strictEqual(error.method, "shed")
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.isTrue(error.isRetryable)
    })))

  it.effect("passes on the ServiceError of a service it called without taking it over", () =>
    Effect.gen(function*() {
      class Outer extends Model.Service<Outer>()("test/Outer", [Rpc.make("run", { success: Schema.Void })]) {}
      const outer = Outer.toLayer(Effect.map(Echo, (echo) => ({ run: () => echo.shed() })))
      const waiting = yield* makeWaiting
      const error = yield* Outer.use((outer) => Effect.flip(outer.run())).pipe(
        Effect.provide(Layer.provide(outer, echoLive(waiting)))
      )
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.service, "test/Echo")
    }))

  it.effect("refuses a payload that does not fit before the handler runs, and says where", () =>
    withEcho(Effect.fnUntraced(function*(echo) {
      const error = yield* Effect.flip(echo.greet({ name: "" }))
      assert.strictEqual(error.reason._tag, "InvalidPayload")
      assert.include(error.message, "test/Echo.greet")
      assert.include(error.message, "name")
    })))

  it.effect("refuses a payload of a stream through the stream, not by throwing", () =>
    withEcho(Effect.fnUntraced(function*(echo) {
      const error = yield* Effect.flip(Stream.runDrain(echo.count({ to: 0.5 })))
      assert.strictEqual(error._tag, "ServiceError")
    })))

  it.effect("is built once for two services that need it, and released after them", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      class Left extends Model.Service<Left>()("test/Left", [Rpc.make("run", { success: Schema.String })]) {}
      class Right extends Model.Service<Right>()("test/Right", [Rpc.make("run", { success: Schema.String })]) {}
      const shared = Layer.unwrap(Effect.gen(function*() {
        yield* Effect.acquireRelease(
          Effect.sync(() => events.push("built")),
          () => Effect.sync(() => events.push("released"))
        )
        return echoLive(yield* makeWaiting)
      }))
      const greet = (name: string) =>
        Effect.gen(function*() {
          const echo = yield* Echo
          yield* Effect.addFinalizer(() => Effect.sync(() => events.push(`${name} closed`)))
          return { run: () => echo.greet({ name }) }
        })
      const both = Layer.mergeAll(
        Left.toLayer(greet("left")).pipe(Layer.provide(shared)),
        Right.toLayer(greet("right")).pipe(Layer.provide(shared))
      )
      yield* Effect.all([Left.use((left) => left.run()), Right.use((right) => right.run())]).pipe(Effect.provide(both))
      assert.strictEqual(events.filter((event) => event === "built").length, 1)
      assert.strictEqual(events.at(-1), "released")
    }))

  it.effect("runs a call in a span of its own, below that of the caller, and the handler's below it", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span(options) {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      class Outer extends Model.Service<Outer>()("test/Outer", [Rpc.make("run", { success: Schema.String })]) {}
      const outer = Outer.toLayer(Effect.map(Echo, (echo) => ({ run: () => echo.greet({ name: "x" }) })))
      const waiting = yield* makeWaiting
      yield* Outer.use((outer) => outer.run()).pipe(
        Effect.withSpan("caller"),
        Effect.provide(Layer.provide(outer, echoLive(waiting))),
        Effect.withTracer(tracer)
      )
      assert.deepStrictEqual(spans.map((span) => span.name), ["caller", "test/Outer.run", "test/Echo.greet"])
      assert.strictEqual(spans[1]?.parent.pipe((parent) => parent._tag === "Some" ? parent.value : undefined), spans[0])
      assert.strictEqual(spans[2]?.parent.pipe((parent) => parent._tag === "Some" ? parent.value : undefined), spans[1])
    }))

  it.effect("gives a handler the services of its layer, whatever the caller has under the same key", () =>
    Effect.gen(function*() {
      class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}
      class Greeter extends Model.Service<Greeter>()("test/Greeter", [Rpc.make("greet", { success: Schema.String })]) {}
      const live = Greeter.toLayer({ greet: () => Prefix }).pipe(Layer.provide(Layer.succeed(Prefix, "layer")))
      const greeting = yield* Greeter.use((greeter) => greeter.greet()).pipe(
        Effect.provideService(Prefix, "caller"),
        Effect.provide(live)
      )
      assert.strictEqual(greeting, "layer")
    }))

  it.effect("overlaps calls that wait", () =>
    Effect.gen(function*() {
      class Barrier extends Model.Service<Barrier>()("test/Barrier", [Rpc.make("arrive", { success: Schema.Void })]) {}
      const arrived = yield* Ref.make(0)
      const open = yield* Deferred.make<void>()
      const live = Barrier.toLayer({
        arrive: () =>
          Effect.flatMap(Ref.updateAndGet(arrived, (count) => count + 1), (count) =>
            count === 8 ? Deferred.succeed(open, undefined) : Deferred.await(open))
      })
      yield* Barrier.use((barrier) =>
        Effect.all(
          Array.from({ length: 8 }, () =>
            barrier.arrive()),
          { concurrency: "unbounded" }
        )
      ).pipe(Effect.provide(live))
      assert.strictEqual(yield* Ref.get(arrived), 8)
    }))

  it("refuses two methods of one name", () => {
    assert.throws(
      () => Model.Service()("test/Twice", [Rpc.make("a"), Rpc.make("a")]),
      "two methods of one service have the same name: a"
    )
  })
})
