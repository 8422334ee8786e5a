import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, ServiceError, Tensor } from "chorale"
import { Socket } from "chorale/node"
import { FaultyProxy } from "chorale/testing/node"
import { Clock, Context, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"

const Pixels = Tensor.schema("uint8", ["n"])

class Reader extends Model.Service<Reader>()("test/Reader", [
  Rpc.make("greet", { payload: { name: Schema.String }, success: Schema.String }),
  Rpc.make("invert", { payload: { tensor: Pixels }, success: Pixels }),
  Rpc.make("wait")
]) {}

const ReaderLive = Reader.toLayer({
  greet: ({ name }) => Effect.succeed(`hello ${name}`),
  invert: ({ tensor }) => Effect.succeed({ ...tensor, data: tensor.data.map((x) => 255 - x) }),
  wait: () => Effect.never
})

/** A server, a proxy before it, and clients of both. */
const behindProxy = Effect.gen(function*() {
  const server = yield* Layer.build(Layer.provide(Socket.layerServer([Reader], { port: 0 }), ReaderLive))
  const { address } = Context.get(server, Socket.Server)
  const proxy = yield* FaultyProxy.make({ to: address, seed: 7 })
  const connect = (to: Socket.Address) =>
    Effect.map(Layer.build(Socket.layerClient(Reader, to)), (context) => Context.get(context, Reader))
  return { proxy, reader: yield* connect(proxy.address), direct: yield* connect(address) }
})

const greet = (reader: Reader["Service"]) => reader.greet({ name: "x" })

const reasonOf = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(call), (error) => error instanceof ServiceError.ServiceError ? error.reason._tag : error)

describe("FaultyProxy", () => {
  it.live("changes nothing unless it is told to", () =>
    Effect.gen(function*() {
      const { proxy, reader } = yield* behindProxy
      const tensor = Tensor.zeros("uint8", [3_000_000])
      assert.isTrue((yield* reader.invert({ tensor })).data.every((x) => x === 255))
      assert.strictEqual(yield* proxy.corrupted, 0)
    }))

  it.live("makes calls later", () =>
    Effect.gen(function*() {
      const { proxy, reader } = yield* behindProxy
      yield* greet(reader)
      yield* proxy.set({ delay: "100 millis", direction: "fromServer" })
      const start = yield* Clock.currentTimeMillis
      assert.strictEqual(yield* greet(reader), "hello x")
      assert.isAtLeast((yield* Clock.currentTimeMillis) - start, 95)
    }))

  it.live("loses what is sent: only a deadline ends the call", () =>
    Effect.gen(function*() {
      const { proxy, reader } = yield* behindProxy
      yield* greet(reader)
      yield* proxy.set({ drop: true })
      assert.strictEqual(yield* reasonOf(Deadline.within(greet(reader), "300 millis")), "DeadlineExceeded")
      yield* proxy.set({})
      assert.strictEqual(yield* greet(reader), "hello x")
    }))

  it.live("cuts connections: calls on them are Unavailable, and the next one connects again", () =>
    Effect.gen(function*() {
      const { direct, proxy, reader } = yield* behindProxy
      yield* greet(reader)
      const cut = yield* Effect.forkChild(reasonOf(reader.wait()), { startImmediately: true })
      const other = yield* Effect.forkChild(direct.wait(), { startImmediately: true })
      yield* greet(reader)
      yield* proxy.cut
      assert.strictEqual(yield* Fiber.join(cut), "Unavailable")
      assert.isUndefined(other.pollUnsafe())
      assert.strictEqual(yield* greet(reader), "hello x")
    }))

  it.live("refuses connections: calls are Unavailable", () =>
    Effect.gen(function*() {
      const { proxy, reader } = yield* behindProxy
      yield* proxy.set({ refuse: true })
      assert.strictEqual(yield* reasonOf(greet(reader)), "Unavailable")
    }))

  it.live(
    "changes bits: every call ends in its time, an answer fits its contract, and other connections are untouched",
    () =>
      Effect.gen(function*() {
        const { direct, proxy, reader } = yield* behindProxy
        yield* greet(reader)
        yield* proxy.set({ corrupt: 0.2 })
        const tensor = Tensor.zeros("uint8", [1000])
        const beside = yield* Effect.forkChild(Effect.replicateEffect(greet(direct), 500))
        for (let call = 0; call < 200; call++) {
          const exit = yield* Deadline.within(reader.invert({ tensor }), "200 millis").pipe(
            Effect.exit,
            Effect.timeout("5 seconds")
          )
          if (Exit.isSuccess(exit)) assert.isTrue(Schema.is(Pixels)(exit.value))
        }
        assert.isAbove(yield* proxy.corrupted, 20)
        assert.isTrue((yield* Fiber.join(beside)).every((answer) => answer === "hello x"))
        yield* proxy.set({})
        yield* proxy.cut
        assert.strictEqual(yield* Effect.retry(greet(reader), { times: 5 }), "hello x")
      }),
    60_000
  )
})
