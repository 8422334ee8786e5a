import { assert, describe, it } from "@effect/vitest"
import { Batch, Model, ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

class Negative extends Schema.TaggedError<Negative>()("Negative", { item: Schema.Int }) {}

class Doubler extends Model.Service<Doubler>()("test/Doubler", [
  Rpc.make("double", { payload: { item: Schema.Int }, success: Schema.Int, error: Negative })
]) {}

const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

/** The service over a unix socket, with what its runs have seen; a run waits until `open`. */
const served = Effect.gen(function*() {
  const seen: Array<ReadonlyArray<number>> = []
  const begun = yield* Deferred.make<void>()
  const open = yield* Deferred.make<void>()
  const stopped = yield* Deferred.make<void>()
  const live = Doubler.toLayer(Effect.gen(function*() {
    const double = yield* Batch.make({
      run: (items: ReadonlyArray<number>) =>
        Effect.sync(() => seen.push(items)).pipe(
          Effect.andThen(Deferred.succeed(begun, undefined)),
          Effect.andThen(Deferred.await(open)),
          Effect.as(items.map((item) => item < 0 ? Batch.failed(new Negative({ item })) : item * 2)),
          Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
        ),
      maxSize: 64,
      maxQueue: 64
    })
    return { double: ({ item }) => double(item) }
  }))
  const path = Path.join(yield* directory, "doubler.sock")
  const server = yield* Layer.build(Layer.provide(Socket.layerServer([Doubler], { path }), live))
  const { address } = Context.get(server, Socket.Server)
  const client = () => Effect.map(Layer.build(Layer.fresh(Socket.layerClient(Doubler, address))), Context.get(Doubler))
  return { seen, begun, open, stopped, client }
})

describe("Batch behind a unix socket", () => {
  it.live("runs the calls of several clients together, and fails a bad one alone", () =>
    Effect.gen(function*() {
      const { begun, client, open, seen } = yield* served
      const clients = [yield* client(), yield* client()]
      const first = yield* Effect.forkChild(clients[0]!.double({ item: 1000 }))
      yield* Deferred.await(begun)
      const calls = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, index) => index === 7 ? -7 : index),
        (item, index) => Effect.forkChild(Effect.exit(clients[index % 2]!.double({ item })))
      )
      yield* Effect.sleep(50)
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(yield* Fiber.join(first), 2000)
      const exits = yield* Effect.forEach(calls, (fiber) => Fiber.join(fiber))
      for (const [item, exit] of exits.entries()) {
        if (exit._tag === "Success") assert.strictEqual(exit.value, item * 2)
        else assert.strictEqual(item, 7)
      }
      assert.deepStrictEqual(seen.map((items) => items.length), [1, 40])
    }))

  it.live("stops a run when its remote callers have gone", () =>
    Effect.gen(function*() {
      const { begun, client, stopped } = yield* served
      const doubler = yield* client()
      const call = yield* Effect.forkChild(doubler.double({ item: 1 }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(stopped)
    }))

  it.live("names the service in a refusal", () =>
    Effect.gen(function*() {
      const { begun, client, open } = yield* served
      const doubler = yield* client()
      const first = yield* Effect.forkChild(doubler.double({ item: 0 }))
      yield* Deferred.await(begun)
      const exits = yield* Effect.all(
        Array.from({ length: 65 }, (_, item) =>
          doubler.double({ item }).pipe(
            Effect.result,
            Effect.tap((result) => result._tag === "Failure" ? Deferred.succeed(open, undefined) : Effect.void)
          )),
        { concurrency: "unbounded" }
      )
      yield* Fiber.join(first)
      const [refused, ...others] = exits.flatMap((result) => result._tag === "Failure" ? [result.failure] : [])
      assert.lengthOf(others, 0)
      assert.instanceOf(refused, ServiceError.ServiceError)
      if (refused instanceof ServiceError.ServiceError) {
        assert.strictEqual(refused.service, "test/Doubler")
        assert.strictEqual(refused.reason._tag, "Overloaded")
      }
    }))
})
