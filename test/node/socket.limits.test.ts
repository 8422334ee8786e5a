/** What a socket refuses of one caller so that others are served, and how the one who is refused learns of it. */
import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"

class Work extends Model.Service<Work>()("test/Work", [
  Rpc.make("hold"),
  Rpc.make("text", { payload: { length: Schema.Int }, success: Schema.String }),
  Rpc.make("texts", { payload: { lengths: Schema.Array(Schema.Int) }, success: Schema.String, stream: true })
]) {}

/** A server, and what is done when one of its streams is closed. */
const serve = Effect.fnUntraced(function*(options: Socket.ServerOptions) {
  const release = yield* Deferred.make<void>()
  const closed = yield* Deferred.make<void>()
  const live = Work.toLayer({
    hold: () => Deferred.await(release),
    text: ({ length }) => Effect.succeed("x".repeat(length)),
    texts: ({ lengths }) =>
      Stream.fromIterable(lengths).pipe(
        Stream.rechunk(1),
        Stream.map((length) => "x".repeat(length)),
        Stream.concat(Stream.never),
        Stream.ensuring(Deferred.succeed(closed, undefined))
      )
  })
  const server = yield* Layer.build(Layer.provide(Socket.layerServer([Work], { port: 0 }, options), live))
  return { address: Context.get(server, Socket.Server).address, release, closed }
})

const connect = (address: Socket.Address, options?: Socket.ClientOptions) =>
  Effect.map(Layer.build(Socket.layerClient(Work, address, options)), (context) => Context.get(context, Work))

const serviceError = (error: unknown): ServiceError.ServiceError => {
  assert.instanceOf(error, ServiceError.ServiceError)
  return error
}

describe("the calls of one connection", () => {
  it.live("are Overloaded at once beyond maxCalls, and neither those within nor other clients notice", () =>
    Effect.gen(function*() {
      const { address, release } = yield* serve({ maxCalls: 2 })
      const work = yield* connect(address)
      const held = yield* Effect.forkChild(
        Effect.all([work.hold(), work.hold()], { concurrency: "unbounded", discard: true }),
        { startImmediately: true }
      )
      for (let call = 0; call < 100; call++) {
        const error = serviceError(yield* Effect.flip(work.text({ length: 1 })))
        assert.strictEqual(`${error.service}.${error.method}`, "test/Work.text")
        assert(error.reason._tag === "Overloaded")
        assert.isAbove(Duration.toMillis(error.reason.retryAfter), 0)
      }
      assert.strictEqual(
        serviceError(yield* Effect.flip(Stream.runDrain(work.texts({ lengths: [1] })))).reason._tag,
        "Overloaded"
      )
      const other = yield* connect(address)
      assert.strictEqual(yield* other.text({ length: 1 }), "x")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(held)
      assert.strictEqual(yield* work.text({ length: 1 }), "x")
    }).pipe(Effect.timeout("5 seconds")))

  it.live("are within maxCalls again when those that were interrupted have ended", () =>
    Effect.gen(function*() {
      const { address } = yield* serve({ maxCalls: 1 })
      const work = yield* connect(address)
      for (let call = 0; call < 20; call++) {
        const held = yield* Effect.forkChild(work.hold(), { startImmediately: true })
        assert.strictEqual(serviceError(yield* Effect.flip(work.text({ length: 1 }))).reason._tag, "Overloaded")
        yield* Fiber.interrupt(held)
        const text = yield* Effect.retry(work.text({ length: 1 }), {
          while: ({ reason }) => reason._tag === "Overloaded"
        })
        assert.strictEqual(text, "x")
      }
    }).pipe(Effect.timeout("5 seconds")))
})

describe("an answer over the limit of either side", () => {
  const sides: ReadonlyArray<readonly [string, Socket.ServerOptions, Socket.ClientOptions]> = [
    ["the server", { maxFrameSize: "100 kB" }, {}],
    ["the client", {}, { maxFrameSize: "100 kB" }]
  ]
  for (const [side, serverOptions, clientOptions] of sides) {
    it.live(`is ContractMismatch for its caller, by the limit of ${side}, and disturbs no other call`, () =>
      Effect.gen(function*() {
        const { address, release } = yield* serve(serverOptions)
        const work = yield* connect(address, clientOptions)
        const other = yield* Effect.forkChild(work.hold(), { startImmediately: true })
        const error = serviceError(yield* Effect.flip(work.text({ length: 200_000 })))
        assert.strictEqual(`${error.service}.${error.method}`, "test/Work.text")
        assert.strictEqual(error.reason._tag, "ContractMismatch")
        assert.match(error.message, /200\d{3} bytes.*100000.*maxFrameSize/)
        assert.strictEqual(yield* work.text({ length: 1 }), "x")
        assert.isUndefined(other.pollUnsafe())
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(other)
      }).pipe(Effect.timeout("5 seconds")))
  }

  it.live("ends a stream after the items before it, and its producer", () =>
    Effect.gen(function*() {
      const { address, closed } = yield* serve({ maxFrameSize: "100 kB" })
      const work = yield* connect(address)
      const items: Array<number> = []
      const error = yield* work.texts({ lengths: [1, 2, 200_000, 3] }).pipe(
        Stream.runForEach((text) => Effect.sync(() => items.push(text.length))),
        Effect.flip
      )
      assert.strictEqual(serviceError(error).reason._tag, "ContractMismatch")
      assert.deepStrictEqual(items, [1, 2])
      yield* Deferred.await(closed)
      assert.strictEqual(yield* work.text({ length: 1 }), "x")
    }).pipe(Effect.timeout("5 seconds")))
})
