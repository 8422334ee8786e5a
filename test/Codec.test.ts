import { assert, describe, it } from "@effect/vitest"
import { Codec, Model, Tensor } from "chorale"
import { Context, Deferred, Effect, Exit, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { Echo, echoLive, makeWaiting } from "./fixtures/echo.ts"
import { keepsItsPromises, type WithService } from "./fixtures/promises.ts"

const withEcho: WithService = (use) =>
  Effect.flatMap(
    makeWaiting,
    (waiting) =>
      Effect.provide(Effect.flatMap(Echo, (echo) => use(echo, waiting)), Codec.layer(Echo, echoLive(waiting)))
  )

describe("Codec", () => {
  keepsItsPromises(withEcho)

  it.live("gives the handler and the caller tensors of their own", () =>
    Effect.gen(function*() {
      class Keeper extends Model.Service<Keeper>()("test/Keeper", [
        Rpc.make("keep", {
          payload: { tensor: Tensor.schema("float32", ["n"]) },
          success: Tensor.schema("float32", ["n"])
        })
      ]) {}
      const received: Array<Tensor.Tensor> = []
      const KeeperLive = Keeper.toLayer({
        keep: ({ tensor }) =>
          Effect.sync(() => {
            received.push(tensor)
            return tensor
          })
      })
      const sent = Tensor.make("float32", [2], Float32Array.of(-0, 1))
      const answer = yield* Keeper.use(({ keep }) => keep({ tensor: sent })).pipe(
        Effect.provide(Codec.layer(Keeper, KeeperLive))
      )
      assert.deepStrictEqual([received, answer], [[sent], sent])
      assert.strictEqual(new Set([sent, received[0], answer].map((tensor) => tensor?.data.buffer)).size, 3)
    }))

  it.live("notices a result that the contract refuses", () =>
    Effect.gen(function*() {
      class Score extends Model.Service<Score>()("test/Score", [Rpc.make("score", { success: Schema.Finite })]) {}
      const ScoreLive = Score.toLayer({ score: () => Effect.succeed(NaN) })
      const exit = yield* Effect.exit(
        Score.use((score) => score.score()).pipe(Effect.provide(Codec.layer(Score, ScoreLive)))
      )
      assert.isTrue(Exit.hasDies(exit))
    }))

  it.live("runs handlers with the services of their layer alone, and answers after many calls as after one", () =>
    Effect.gen(function*() {
      const Secret = Context.Reference<string>("test/Secret", { defaultValue: () => "none" })
      class Reader extends Model.Service<Reader>()("test/Reader", [Rpc.make("read", { success: Schema.String })]) {}
      const ReaderLive = Reader.toLayer({ read: () => Effect.service(Secret) })
      const calls = Reader.use((reader) => Effect.replicateEffect(reader.read(), 1000, { concurrency: 64 }))
      const answers = yield* calls.pipe(
        Effect.provideService(Secret, "the caller's"),
        Effect.provide(Codec.layer(Reader, ReaderLive))
      )
      assert.deepStrictEqual([...new Set(answers)], ["none"])
    }))

  it.live("interrupts the calls that run when the layer is released", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      yield* Effect.scoped(Effect.gen(function*() {
        const context = yield* Layer.build(Codec.layer(Echo, echoLive(waiting)))
        yield* Effect.forkChild(Context.get(context, Echo).wait())
        yield* Deferred.await(waiting.started)
      }))
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("keeps the calls of two services in one program apart", () =>
    Effect.gen(function*() {
      class Left extends Model.Service<Left>()("test/Left", [Rpc.make("side", { success: Schema.String })]) {}
      class Right extends Model.Service<Right>()("test/Right", [Rpc.make("side", { success: Schema.String })]) {}
      const both = Layer.merge(
        Codec.layer(Left, Left.toLayer({ side: () => Effect.succeed("left") })),
        Codec.layer(Right, Right.toLayer({ side: () => Effect.succeed("right") }))
      )
      const sides = Effect.gen(function*() {
        const [left, right] = [yield* Left, yield* Right]
        return yield* Effect.all([left.side(), right.side(), left.side()], { concurrency: "unbounded" })
      })
      assert.deepStrictEqual(yield* Effect.provide(sides, both), ["left", "right", "left"])
    }))
})
