import { assert, describe, it } from "@effect/vitest"
import { ServiceError, Traffic } from "chorale"
import { Context, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { makeServer, openLoop, type Outcome, quantile } from "./overload.ts"
import { type Behaviour, makeWork, Refused, start, Work } from "./work.ts"

/** 4 calls at a time of 48 milliseconds: 83 a second is what it can take. It gets 3 times as many. */
const workers = 4
const millis = 48
const load = { rate: 250, seconds: 30, deadline: 500 }
const best = load.seconds * workers * 1000 / millis

const of = (tag: string, outcomes: ReadonlyArray<Outcome>) => outcomes.filter((outcome) => outcome.tag === tag)

describe("a service that gets three times what it can take", () => {
  it.effect(
    "answers as much as it can behind a limit, in time, and refuses the rest at once",
    () =>
      Effect.gen(function*() {
        const limited = makeServer(() => workers, () => millis).layer.pipe(
          Traffic.limit({ concurrency: workers, queue: 64 })
        )
        const outcomes = yield* openLoop(limited, load)
        assert.isAtLeast(of("answered", outcomes).length, 0.9 * best)
        assert.isAtMost(quantile(of("answered", outcomes), 0.99), load.deadline)
        assert.strictEqual(quantile(of("Overloaded", outcomes), 1), 0)
        assert.strictEqual(of("answered", outcomes).length + of("Overloaded", outcomes).length, outcomes.length)
      }),
    60_000
  )

  it.effect("answers next to nothing without one: what it works on is too late", () =>
    Effect.gen(function*() {
      const { layer } = makeServer(() => workers, () => millis)
      const outcomes = yield* openLoop(layer, load)
      assert.isAtMost(of("answered", outcomes).length, 0.1 * best)
    }))
})

describe("Traffic.adaptiveLimit", () => {
  it.effect(
    "finds the limit of a server, follows it when that changes, and keeps its latency low",
    () =>
      Effect.gen(function*() {
        let workers = 10
        let millis = 50
        const { layer, seen } = makeServer(() => workers, () => millis)
        const adaptive = layer.pipe(Traffic.adaptiveLimit({ probeEvery: "5 seconds" }))
        const work = Context.get(yield* Layer.build(adaptive), Work)
        /** Twice what the server can take, for so many seconds; the calls that ran at the end, and their latency. */
        const observe = Effect.fnUntraced(function*(seconds: number) {
          const running: Array<number> = []
          for (let now = 0; now < seconds * 1000; now += 5) {
            for (let calls = 0; calls < 2; calls++) yield* start(Effect.ignore(work.run({ id: 0, millis: 0 })))
            yield* TestClock.adjust(5)
            if (now > seconds * 500) running.push(seen.running)
          }
          return running.toSorted((a, b) => a - b)[Math.floor(running.length / 2)] ?? 0
        })
        const ten = yield* observe(20)
        workers = 3
        const three = yield* observe(20)
        workers = 10
        const again = yield* observe(20)
        millis = 200
        const slower = yield* observe(40)
        // The limit is 1.1 times the workers, and room for a queue of the root of that.
        for (const limit of [ten, again, slower]) assert.approximately(limit, 14, 2)
        assert.approximately(three, 5, 1)
      }),
    60_000
  )

  it.effect("does not raise the limit for calls that do not reach it", () =>
    Effect.gen(function*() {
      const { layer, seen } = makeServer(() => 1000, () => 50)
      const work = Context.get(yield* Layer.build(layer.pipe(Traffic.adaptiveLimit({ initial: 8 }))), Work)
      for (let calls = 0; calls < 300; calls++) {
        yield* start(work.run({ id: 0, millis: 0 }))
        yield* TestClock.adjust(50)
      }
      for (let calls = 0; calls < 50; calls++) yield* start(Effect.ignore(work.run({ id: 0, millis: 0 })))
      assert.isAtMost(seen.running, 12)
      yield* TestClock.adjust(50)
    }))

  it.effect("lowers the limit when the service says that it is too much, and not for errors of the model", () =>
    Effect.gen(function*() {
      const after = Effect.fnUntraced(function*(behaviour: Behaviour) {
        let broken = true
        const { layer, seen } = makeWork((call) => broken ? behaviour(call) : Effect.never)
        const adaptive = layer.pipe(Traffic.adaptiveLimit({ initial: 64 }))
        const work = Context.get(yield* Layer.build(adaptive), Work)
        for (let calls = 0; calls < 2000; calls++) yield* Effect.exit(work.run({ id: 0, millis: 0 }))
        broken = false
        for (let calls = 0; calls < 200; calls++) yield* start(Effect.ignore(work.run({ id: 0, millis: 0 })))
        return seen.running
      })
      const overloaded = new ServiceError.Overloaded({ retryAfter: Duration.zero })
      assert.isAtMost(yield* after(() => Effect.fail(overloaded)), 10)
      assert.isAtLeast(yield* after(() => Effect.fail(new Refused({ id: 0 }))), 64)
    }))
})
