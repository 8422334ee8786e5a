import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ReplicaUsage } from "../../src/internal/replicaUsage.ts"
import * as Usage from "../../src/supervisor/usage.ts"

/** A replica that is there for the length of the scope, and has used as much as `state.millis` says. */
const replica = Effect.fnUntraced(function*(usage: Usage.Usage, name: string) {
  const state: { millis: number | undefined } = { millis: 0 }
  const context = yield* Layer.build(usage.layer(name))
  const { measuredBy } = yield* Effect.provideContext(ReplicaUsage, context)
  measuredBy(Effect.sync(() => state.millis))
  return state
})

describe("the usage of replicas", () => {
  it.effect("is the cores that each has used since it was last asked, the mean over them", () =>
    Effect.gen(function*() {
      const usage = Usage.make()
      const names = ["0", "1"]
      const one = yield* replica(usage, "0")
      const other = yield* replica(usage, "1")
      one.millis = 5000
      assert.isUndefined(yield* usage.cores(names))
      yield* TestClock.adjust("2 seconds")
      one.millis += 1000
      other.millis = 200
      assert.closeTo((yield* usage.cores(names)) ?? Number.NaN, (0.5 + 0.1) / 2, 1e-9)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* usage.cores(names), 0)
    }))

  it.effect("leaves out replicas that are not asked about, that are new, and that do not answer in time", () =>
    Effect.gen(function*() {
      const usage = Usage.make()
      const one = yield* replica(usage, "0")
      const busy = yield* replica(usage, "1")
      const silent = yield* Layer.build(usage.layer("2"))
      yield* Effect.map(Effect.provideContext(ReplicaUsage, silent), ({ measuredBy }) => measuredBy(Effect.never))
      yield* Effect.forkScoped(usage.cores(["0", "2"]), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* replica(usage, "3")
      one.millis = 250
      busy.millis = 900
      const cores = yield* Effect.forkScoped(usage.cores(["0", "1", "2", "3"]), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(cores), 0.25)
    }))

  it.effect("begins again with a replica that was built again", () =>
    Effect.gen(function*() {
      const usage = Usage.make()
      yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* replica(usage, "0")
        first.millis = 100
        yield* usage.cores(["0"])
      }))
      assert.isUndefined(yield* usage.cores(["0"]))
      const second = yield* replica(usage, "0")
      yield* TestClock.adjust("1 second")
      second.millis = 3000
      assert.isUndefined(yield* usage.cores(["0"]))
      yield* TestClock.adjust("1 second")
      second.millis = 3100
      assert.closeTo((yield* usage.cores(["0"])) ?? Number.NaN, 0.1, 1e-9)
    }))
})
