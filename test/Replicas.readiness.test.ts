import { assert, describe, it } from "@effect/vitest"
import { Model, Readiness, Replicas, ServiceError } from "chorale"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { ReplicaEnd } from "../src/internal/replicaEnd.ts"

class Reader extends Model.Service<Reader>()("test/Reader", [Rpc.make("read", { success: Schema.String })]) {}

describe("a program with replicas", () => {
  it.effect("is not ready while none of them is, and says which service lacks one", () =>
    Effect.gen(function*() {
      let end: () => void = () => undefined
      const replica = Layer.unwrap(Effect.map(ReplicaEnd, ({ ended }) => {
        end = () => ended(new ServiceError.Unavailable({ detail: "it exited" }))
        return Reader.toLayer({ read: () => Effect.succeed("text") })
      }))
      yield* Layer.build(Replicas.layer(Reader, { replicas: 1, replica: () => replica }))
      assert.deepStrictEqual(yield* Readiness.missing, {})
      end()
      assert.deepStrictEqual(yield* Readiness.missing, { "test/Reader": "no replica is ready" })
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* Readiness.missing, {})
    }).pipe(Effect.provideService(Readiness.Checks, new Set())))
})
