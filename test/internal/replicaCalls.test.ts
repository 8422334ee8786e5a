/** What happens to a call between the moment at which it gets a replica and the one at which it begins. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Balancer, type Options } from "../../src/internal/balancer.ts"
import * as ReplicaCalls from "../../src/internal/replicaCalls.ts"
import type * as Model from "../../src/Model.ts"
import { Work } from "../fixtures/replicas.ts"

const options: Options<Model.AnyClient> = {
  maxInFlight: 1,
  maxQueue: 10,
  patience: 2000,
  eject: { after: 3, from: 1000, to: 30_000 },
  tryByCall: true,
  now: () => 0,
  random: () => 0,
  onWaiting: () => undefined,
  onUnavailable: () => undefined,
  onEjected: () => undefined,
  onRestored: () => undefined
}

const load = () => ({ abandoned: 0, onFreed: () => undefined })

/** As if a replica came and went before the fiber of a call that waits goes on. */
class Fickle extends Balancer<Model.AnyClient> {
  #isFirst = true

  override now(): number {
    if (this.#isFirst) {
      this.#isFirst = false
      this.remove(this.add("gone", { work: () => Effect.die("called after its end") }, load()))
    }
    return super.now()
  }
}

describe("a call that waited", () => {
  it.effect("goes to another replica where the one that it got is gone before it begins", () =>
    Effect.gen(function*() {
      const balancer = new Fickle(options)
      const { work } = ReplicaCalls.make(Work, balancer, () => "down")
      const fiber = yield* Effect.forkChild(
        Effect.suspend(() => work?.({ millis: 0 }) as Effect.Effect<unknown, unknown>),
        {
          startImmediately: true
        }
      )
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual(balancer.waiting, 1)
      const other = balancer.add("other", { work: () => Effect.succeed("done") }, load())
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.strictEqual(other.inFlight, 0)
    }))
})
