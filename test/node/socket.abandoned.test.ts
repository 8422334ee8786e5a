import { assert, describe, it } from "@effect/vitest"
import { Model } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Rpc } from "effect/rpc"
import { ReplicaLoad } from "../../src/internal/replicaLoad.ts"

class Slow extends Model.Service<Slow>()("test/Slow", [Rpc.make("insist")]) {}

/** A call whose caller has gone, and what the connection counted. */
const abandoned = Effect.gen(function*() {
  const started = yield* Deferred.make<void>()
  const end = yield* Deferred.make<void>()
  const freed = yield* Deferred.make<void>()
  const scope = yield* Scope.make()
  const live = Slow.toLayer({
    insist: () => Effect.uninterruptible(Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(end)))
  })
  const server = Layer.build(Layer.provide(Socket.layerServer([Slow], { port: 0 }), live)).pipe(Scope.provide(scope))
  const { address } = Context.get(yield* server, Socket.Server)
  const load = { abandoned: 0, onFreed: () => void Deferred.doneUnsafe(freed, Effect.void) }
  const client = Layer.build(Socket.layerClient(Slow, address)).pipe(Effect.provideService(ReplicaLoad, load))
  const slow = Context.get(yield* client, Slow)
  const call = yield* Effect.forkChild(slow.insist())
  yield* Deferred.await(started)
  yield* Fiber.interrupt(call)
  return { load, freed, end, close: Scope.close(scope, Exit.void) }
})

describe("Socket.layerClient", () => {
  it.live("counts a call whose caller has gone until the server has ended it", () =>
    Effect.gen(function*() {
      const { end, freed, load } = yield* abandoned
      assert.strictEqual(load.abandoned, 1)
      yield* Deferred.succeed(end, undefined)
      yield* Deferred.await(freed)
      assert.strictEqual(load.abandoned, 0)
    }))

  it.live("counts no call whose server has gone", () =>
    Effect.gen(function*() {
      const { close, end, freed, load } = yield* abandoned
      yield* Effect.forkChild(close)
      yield* Deferred.succeed(end, undefined)
      yield* Deferred.await(freed)
      assert.strictEqual(load.abandoned, 0)
    }))
})
