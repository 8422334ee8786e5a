import { assert, describe, it } from "@effect/vitest"
import { Deployment, Model } from "chorale"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { ReplicaUsage } from "../../src/internal/replicaUsage.ts"
import { scale } from "../../src/supervisor/scale.ts"
import type { RunningUnit } from "../../src/supervisor/unit.ts"
import * as Usage from "../../src/supervisor/usage.ts"

class Reader extends Model.Service<Reader>()("test/Reader", [Rpc.make("read", { success: Schema.Int })]) {}
const ReaderLive = Reader.toLayer({ read: () => Effect.succeed(1) })

/** A unit that is scaled, whose replicas share work of so many cores and of so many calls that wait. */
const follow = Effect.fnUntraced(function*(target: Deployment.Scaling["target"]) {
  const load = { cores: 0, waiting: 0 }
  const scaling = { minReplicas: 1, maxReplicas: 4, target, scaleUpWindow: 0, scaleDownWindow: "10 seconds" } as const
  const unit = Deployment.unit(Reader, ReaderLive, { placement: "processes", resources: { cpu: 0.5 }, scaling })
  const [described] = Deployment.describe(Deployment.make("test", { reader: unit })).units
  if (described === undefined) return assert.fail("there is no unit")

  const usage = Usage.make()
  const millis = [0, 0, 0, 0]
  let count = 1
  for (const index of millis.keys()) {
    const context = yield* Layer.build(usage.layer(String(index)))
    const { measuredBy } = yield* Effect.provideContext(ReplicaUsage, context)
    measuredBy(Effect.sync(() => millis[index]))
  }
  const work = Effect.sync(() => {
    for (let index = 0; index < count; index++) millis[index] = (millis[index] ?? 0) + 100 * load.cores / count
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("100 millis"), work)))

  const replicas: NonNullable<RunningUnit["replicas"]> = {
    client: {},
    status: Effect.sync(() =>
      Array.from({ length: count }, (_, index) => ({
        name: String(index),
        state: "ready" as const,
        inFlight: 0,
        calls: 0,
        failures: 0,
        restarts: 0
      }))
    ),
    set: (wanted) => Effect.sync(() => void (count = wanted)),
    restart: Effect.void
  }
  const running: RunningUnit = {
    unit,
    client: {},
    inFlight: () => load.waiting,
    replicas,
    usage,
    described,
    limit: Effect.void
  }
  yield* Effect.forkScoped(scale(running, replicas))
  /** The replicas after so many seconds of such a load. */
  return Effect.fnUntraced(function*(seconds: number, now: Partial<typeof load>) {
    Object.assign(load, now)
    for (let passed = 0; passed < seconds; passed++) yield* TestClock.adjust("1 second")
    return count
  })
})

describe("a unit that scales", () => {
  it.effect("has as many replicas as bring the cpu of each to its percent of what it asked for", () =>
    Effect.gen(function*() {
      // Half a core each, of which it should use half.
      const replicasAfter = yield* follow({ cpu: 50 })
      assert.strictEqual(yield* replicasAfter(30, { cores: 0.26 }), 1)
      assert.strictEqual(yield* replicasAfter(3, { cores: 0.45 }), 2)
      assert.strictEqual(yield* replicasAfter(30, { cores: 0.7 }), 3)
      assert.strictEqual(yield* replicasAfter(30, { cores: 9 }), 4)
    }))

  it.effect("has fewer when its cpu was low for the whole window", () =>
    Effect.gen(function*() {
      const replicasAfter = yield* follow({ cpu: 50 })
      assert.strictEqual(yield* replicasAfter(5, { cores: 2 }), 4)
      assert.strictEqual(yield* replicasAfter(9, { cores: 0.2 }), 4)
      assert.strictEqual(yield* replicasAfter(2, { cores: 2 }), 4)
      assert.strictEqual(yield* replicasAfter(9, { cores: 0.2 }), 4)
      assert.strictEqual(yield* replicasAfter(3, { cores: 0.2 }), 1)
    }))

  it.effect("takes the larger of what its cpu and its queue ask for", () =>
    Effect.gen(function*() {
      const replicasAfter = yield* follow({ cpu: 50, queue: 2 })
      assert.strictEqual(yield* replicasAfter(5, { cores: 0.45, waiting: 6 }), 3)
      assert.strictEqual(yield* replicasAfter(5, { cores: 0.95, waiting: 6 }), 4)
    }))

  it.effect("does not look at cpu where that is no target", () =>
    Effect.gen(function*() {
      const replicasAfter = yield* follow({ queue: 2 })
      assert.strictEqual(yield* replicasAfter(5, { cores: 9, waiting: 2 }), 1)
    }))
})
