import { assert, describe, it } from "@effect/vitest"
import * as Deployment from "../../src/Deployment.ts"
import { random } from "../fixtures/random.ts"

const scaling = (over: Partial<Deployment.Scaling> = {}): Deployment.Scaling => ({
  minReplicas: 1,
  maxReplicas: 10,
  target: { concurrency: 4 },
  scaleUpWindow: 0,
  scaleDownWindow: 300_000,
  ...over
})

/** The replicas after each of the loads, one every 15 seconds, where what was decided is what runs. */
const follow = (
  rule: Deployment.Scaling,
  from: number,
  loads: ReadonlyArray<Omit<Deployment.Sample, "at" | "replicas">>
): ReadonlyArray<number> => {
  let state = Deployment.initialScale(from)
  return loads.map((load, index) => {
    state = Deployment.autoscale(rule, state, { at: index * 15_000, replicas: state.desired, ...load })
    return state.desired
  })
}

const concurrencies = (...values: ReadonlyArray<number>) => values.map((concurrency) => ({ concurrency }))
const times = (count: number, concurrency: number) => concurrencies(...Array.from({ length: count }, () => concurrency))

describe("autoscale", () => {
  it("has as many replicas as bring each to its target", () => {
    assert.deepStrictEqual(follow(scaling(), 1, concurrencies(1)), [1])
    assert.deepStrictEqual(follow(scaling(), 1, concurrencies(5)), [2])
    assert.deepStrictEqual(follow(scaling(), 2, concurrencies(20)), [5])
    assert.deepStrictEqual(follow(scaling({ target: { queue: 2 } }), 1, [{ queue: 7 }]), [4])
    assert.deepStrictEqual(follow(scaling({ target: { cpu: 50 } }), 4, [{ cpu: 75 }]), [6])
  })

  it("takes the largest of what several targets ask for", () => {
    const rule = scaling({ target: { concurrency: 4, queue: 1, cpu: 50 } })
    assert.deepStrictEqual(follow(rule, 2, [{ concurrency: 8, queue: 5, cpu: 60 }]), [5])
    assert.deepStrictEqual(follow(rule, 2, [{ concurrency: 8, cpu: 100 }]), [4])
  })

  it("changes nothing within a tenth of the target", () => {
    assert.deepStrictEqual(follow(scaling({ target: { concurrency: 10 } }), 2, concurrencies(22)), [2])
    assert.deepStrictEqual(follow(scaling({ target: { concurrency: 10 } }), 2, concurrencies(23)), [3])
    const quick = scaling({ target: { concurrency: 10 }, scaleDownWindow: 0 })
    assert.deepStrictEqual(follow(quick, 10, concurrencies(90)), [10])
    assert.deepStrictEqual(follow(quick, 10, concurrencies(89)), [9])
  })

  it("stays in the range, also of one that has just changed", () => {
    const rule = scaling({ minReplicas: 2, maxReplicas: 3, scaleDownWindow: 0 })
    assert.deepStrictEqual(follow(rule, 2, concurrencies(100, 0)), [3, 2])
    assert.deepStrictEqual(follow(rule, 9, [{}]), [3])
    assert.deepStrictEqual(follow(rule, 1, [{}]), [2])
  })

  it("changes nothing where nothing was measured", () => {
    assert.deepStrictEqual(follow(scaling(), 3, [{}, { cpu: 1 }, { concurrency: Number.NaN }]), [3, 3, 3])
  })

  it("has fewer replicas only when that was right for the whole window down", () => {
    // At 15 seconds a sample, five minutes are twenty of them.
    const replicas = follow(scaling(), 1, [...concurrencies(20), ...times(20, 4)])
    assert.deepStrictEqual(replicas.slice(0, 20), Array.from({ length: 20 }, () => 5))
    assert.strictEqual(replicas[20], 1)
  })

  it("goes down to the most that was asked for in the window", () => {
    const rule = scaling({ scaleDownWindow: 60_000 })
    assert.deepStrictEqual(follow(rule, 5, concurrencies(20, 12, 8, 8, 8, 8, 8)), [5, 5, 5, 5, 3, 2, 2])
  })

  it("has more replicas only when that was right for the whole window up", () => {
    const rule = scaling({ scaleUpWindow: 60_000 })
    assert.deepStrictEqual(follow(rule, 1, [...times(3, 20), ...times(1, 2), ...times(3, 20)]), [1, 1, 1, 1, 1, 1, 1])
    assert.deepStrictEqual(follow(rule, 1, times(5, 20)), [1, 1, 1, 1, 5])
  })

  it("does not follow a load that comes and goes", () => {
    const loads = Array.from({ length: 100 }, (_, index) => ({ concurrency: index % 2 === 0 ? 32 : 2 }))
    assert.deepStrictEqual(new Set(follow(scaling(), 1, loads)), new Set([8]))
  })

  it("follows a recorded day: up at once, down after the rush, never below what is needed", () => {
    const next = random(7)
    const loads = Array.from({ length: 24 * 60 * 4 }, (_, index) => {
      const hour = index / 240
      const rush = Math.exp(-((hour - 9) ** 2) / 2) + Math.exp(-((hour - 18) ** 2) / 2)
      return Math.round(30 * rush + 2 * next())
    })
    const replicas = follow(scaling(), 1, concurrencies(...loads))
    for (const [index, load] of loads.entries()) {
      assert.isAtLeast((replicas[index] ?? 0) * 4 * 1.1 + 1e-9, Math.min(load, 40))
    }
    assert.isAtLeast(Math.max(...replicas), 8)
    assert.strictEqual(replicas[13 * 240], 1)
    const changes = replicas.filter((count, index) => index > 0 && count !== replicas[index - 1]).length
    assert.isAtMost(changes, 60)
  })

  it("keeps no more of the past than the windows need", () => {
    let state = Deployment.initialScale(1)
    for (let at = 0; at < 1e8; at += 15_000) {
      state = Deployment.autoscale(scaling(), state, { at, replicas: 1, concurrency: 3 })
    }
    assert.isAtMost(state.recommendations.length, 21)
  })
})
