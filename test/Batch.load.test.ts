import { assert, describe, it } from "@effect/vitest"
import { Batch, ServiceError } from "chorale"
import { Clock, Duration, Effect, Exit, Fiber } from "effect"
import { d, pass, random, simulated } from "./fixtures/batch.ts"

const median = (samples: ReadonlyArray<number>) => samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? NaN

const timed = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    yield* call
    return (yield* Clock.currentTimeMillis) - start
  })

/** So many callers, each of which calls again as soon as it is answered. */
const closedLoop = Effect.fnUntraced(
  function*(callers: number, calls: number, options?: { readonly executors: number }) {
    const model = simulated<number>()
    const call = yield* Batch.make({ run: model.run, maxSize: 32, ...options })
    const latencies: Array<number> = []
    const caller = Effect.fnUntraced(function*() {
      for (let done = 0; done < calls; done++) latencies.push(yield* timed(call(done)))
      return yield* Clock.currentTimeMillis
    })
    const fibers = yield* Effect.forEach(Array.from({ length: callers }), () => Effect.forkChild(caller()))
    yield* pass(60_000)
    const ends = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
    return { latencies, perMilli: callers * calls / Math.max(...ends) }
  }
)

/** Calls that arrive at random and do not wait for each other, so many a millisecond. */
const openLoop = Effect.fnUntraced(
  function*<E>(call: (item: number) => Effect.Effect<number, E>, rate: number, calls: number, seed = 1) {
    const next = random(seed)
    const source = Effect.gen(function*() {
      const fibers: Array<Fiber.Fiber<{ readonly exit: Exit.Exit<number, E>; readonly millis: number }>> = []
      for (let item = 0; item < calls; item++) {
        yield* Effect.sleep(Duration.millis(-Math.log(1 - next()) / rate))
        fibers.push(
          yield* Effect.forkChild(Effect.gen(function*() {
            const start = yield* Clock.currentTimeMillis
            const exit = yield* Effect.exit(call(item))
            return { exit, millis: (yield* Clock.currentTimeMillis) - start }
          }))
        )
      }
      return yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
    })
    const fiber = yield* Effect.forkChild(source)
    yield* pass(calls / rate * 2 + 10_000)
    return yield* Fiber.join(fiber)
  }
)

const best = 32 / d(32)

describe("Batch in virtual time, over a model that takes 10 ms and 0.5 ms more for each item", () => {
  it.effect.each([1, 2, 5, 16, 32])(
    "answers %i callers in a closed loop within 1.1 of the ideal",
    (callers) =>
      Effect.gen(function*() {
        const { latencies } = yield* closedLoop(callers, 40)
        assert.lengthOf(latencies, callers * 40)
        assert.isAtMost(median(latencies), 1.1 * d(callers))
      })
  )

  it.effect("reaches 0.95 of the best rate when it is saturated", () =>
    Effect.gen(function*() {
      const { perMilli } = yield* closedLoop(100, 40)
      assert.isAtLeast(perMilli, 0.95 * best)
    }))

  it.effect("reaches twice that with two executors, and shares fewer callers among them", () =>
    Effect.gen(function*() {
      const saturated = yield* closedLoop(200, 40, { executors: 2 })
      assert.isAtLeast(saturated.perMilli, 0.95 * 2 * best)
      const few = yield* closedLoop(16, 40, { executors: 2 })
      assert.isAtMost(median(few.latencies), 1.1 * d(8))
    }))

  it.effect("answers calls that arrive at random at 30 % of that rate in at most twice the time of a lone one", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ run: simulated<number>().run })
      const answers = yield* openLoop(call, 0.3 * best, 2000)
      assert.isTrue(answers.every(({ exit }) => Exit.isSuccess(exit)))
      assert.isAtMost(median(answers.map(({ millis }) => millis)), 2 * d(1))
    }))

  it.effect("delays a lone call by at most a millisecond", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ run: simulated<number>().run })
      const lone = yield* Effect.forkChild(timed(call(1)))
      yield* pass(1000)
      assert.isAtMost(yield* Fiber.join(lone), d(1) + 1)
    }))

  it.effect("keeps its rate at three times what it can do, refuses the rest at once, and drains", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ run: simulated<number>().run, maxQueue: 64 })
      const calls = 6000
      const answers = yield* openLoop(call, 3 * best, calls)
      const taken = answers.filter(({ exit }) => Exit.isSuccess(exit))
      const refused = answers.filter(({ exit }) => Exit.isFailure(exit))
      const span = calls / (3 * best)
      assert.isAtLeast(taken.length / span, 0.9 * best)
      assert.isAtMost(Math.max(...taken.map(({ millis }) => millis)), 4 * d(32))
      assert.isAtMost(Math.max(...refused.map(({ millis }) => millis)), 0)
      for (const { exit } of refused) {
        assert.isTrue(
          Exit.findErrorOption(exit).pipe((error) =>
            error._tag === "Some" && error.value instanceof ServiceError.Overloaded
          )
        )
      }
      const { running, waiting } = yield* call.stats
      assert.deepStrictEqual([running, waiting], [0, 0])
    }))
})
