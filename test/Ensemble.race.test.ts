import { assert, describe, it } from "@effect/vitest"
import { Ensemble } from "chorale"
import { Cause, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeJournal } from "./fixtures/members.ts"

describe("Ensemble.first", () => {
  it.effect("gives the first answer and interrupts the others before it ends", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Ensemble.first({
        slow: journal.after("slow", 20, Effect.succeed("slow")),
        failing: journal.after("failing", 5, Effect.fail("no")),
        fast: journal.after("fast", 10, Effect.succeed("fast"))
      }))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "fast")
      assert.deepStrictEqual(journal.interrupted, ["slow"])
      assert.strictEqual(journal.running.size, 0)
    }))

  it.effect("of two answers at the same time takes that of the member listed first", () =>
    Effect.gen(function*() {
      const { after } = makeJournal()
      const fiber = yield* Effect.forkChild(
        Ensemble.first({ a: after("a", 10, Effect.succeed("a")), b: after("b", 10, Effect.succeed("b")) })
      )
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "a")
    }))

  it.effect("gives all errors by name when all fail", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(
        Ensemble.first({ a: Effect.delay(Effect.fail("a"), 10), b: Effect.fail(2) })
      ))
      yield* TestClock.adjust(10)
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, Ensemble.AllFailed)
      assert.deepStrictEqual(error.errors, { a: "a", b: 2 })
    }))

  it.effect("dies of a defect at once", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* Effect.exit(Ensemble.first({ a: Effect.never, b: Effect.die("a bug") })),
        Exit.die("a bug")
      )
    }))

  it.effect("keeps the defect of a member that failed as well", () =>
    Effect.gen(function*() {
      const both = Effect.failCause(Cause.combine(Cause.fail("no"), Cause.die("a bug")))
      const exit = yield* Effect.exit(Ensemble.first({ a: both, b: Effect.never }))
      assert.deepStrictEqual(Exit.isFailure(exit) && exit.cause.reasons.map(({ _tag }) => _tag), ["Die"])
    }))

  it.effect("keeps the defect of a loser that dies while it is interrupted", () =>
    Effect.gen(function*() {
      const loser = Effect.onInterrupt(Effect.never, () => Effect.die("a bug"))
      const exit = yield* Effect.exit(Ensemble.first({ loser, winner: Effect.succeed(1) }))
      assert.isTrue(Exit.hasDies(exit))
    }))

  it.effect("ends with a member that interrupts itself", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Ensemble.first({ a: Effect.never, b: Effect.interrupt }))
      assert.isTrue(Exit.hasInterrupts(exit))
    }))

  it.effect("does not start the members after one that answers without waiting", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      yield* Ensemble.first({ a: Effect.succeed(1), b: journal.after("b", 10, Effect.void) })
      assert.deepStrictEqual(journal.started, [])
    }))

  it.effect("waits for the interrupted to stop", () =>
    Effect.gen(function*() {
      let stopped = false
      const stubborn = Effect.onInterrupt(Effect.never, () => Effect.delay(Effect.sync(() => (stopped = true)), 50))
      const fiber = yield* Effect.forkChild(
        Ensemble.first({ stubborn, fast: Effect.delay(Effect.succeed(1), 10) })
      )
      yield* TestClock.adjust(59)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.isTrue(stopped)
    }))

  it.effect("interrupts its members when it is interrupted", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(
        Ensemble.first({ a: journal.after("a", 10, Effect.void), b: journal.after("b", 20, Effect.void) })
      )
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(journal.interrupted, ["a", "b"])
    }))

  it.effect("interrupts the others also where it cannot be interrupted itself", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.uninterruptible(Ensemble.first({ a: Effect.never, b: Effect.succeed(1) })), 1)
    }))

  it.effect("says in the span who won", () =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Ensemble.first({ a: Effect.never, b: Effect.succeed(1) })
      assert.strictEqual(span.attributes.get("ensemble.member"), "b")
    }).pipe(Effect.withSpan("test")))
})

describe("Ensemble.hedge", () => {
  /** An effect whose attempts take so many milliseconds each, in order, and then answer with their number. */
  const attempts = (...millis: ReadonlyArray<number>) => {
    const journal = makeJournal()
    const call = Effect.suspend(() => {
      const attempt = journal.started.length
      return journal.after(`${attempt + 1}`, millis[attempt]!, Effect.succeed(attempt + 1))
    })
    return { ...journal, call }
  }

  it.effect("does not start a second attempt before the delay", () =>
    Effect.gen(function*() {
      const { call, started } = attempts(100, 100)
      yield* Effect.forkChild(Ensemble.hedge(call, { after: 50 }))
      yield* TestClock.adjust(49)
      assert.deepStrictEqual(started, ["1"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(started, ["1", "2"])
    }))

  it.effect("needs no second attempt for an answer at exactly the delay", () =>
    Effect.gen(function*() {
      const { call, started } = attempts(50, 1)
      const fiber = yield* Effect.forkChild(Ensemble.hedge(call, { after: 50 }))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.deepStrictEqual(started, ["1"])
    }))

  it.effect("gives the answer of the second attempt when it is faster, and interrupts the first", () =>
    Effect.gen(function*() {
      const { call, interrupted, running } = attempts(1000, 10)
      const fiber = yield* Effect.forkChild(call.pipe(Ensemble.hedge({ after: 50 })))
      yield* TestClock.adjust(60)
      assert.strictEqual(yield* Fiber.join(fiber), 2)
      assert.deepStrictEqual(interrupted, ["1"])
      assert.strictEqual(running.size, 0)
    }))

  it.effect("gives the answer of the first attempt when it is faster, and interrupts the second", () =>
    Effect.gen(function*() {
      const { call, interrupted } = attempts(60, 1000)
      const fiber = yield* Effect.forkChild(Ensemble.hedge(call, { after: 50 }))
      yield* TestClock.adjust(60)
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.deepStrictEqual(interrupted, ["2"])
    }))

  it.effect("never makes more attempts than it is given, each after the delay", () =>
    Effect.gen(function*() {
      const { call, started } = attempts(1000, 1000, 1000, 1000, 1000)
      const fiber = yield* Effect.forkChild(Ensemble.hedge(call, { after: 50, attempts: 3 }))
      yield* TestClock.adjust(99)
      assert.strictEqual(started.length, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual(started.length, 3)
      yield* TestClock.adjust(900)
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.strictEqual(started.length, 3)
    }))

  it.effect("with one attempt is the call alone", () =>
    Effect.gen(function*() {
      const { call, started } = attempts(1000, 1)
      const fiber = yield* Effect.forkChild(Ensemble.hedge(call, { after: 0, attempts: 1 }))
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.strictEqual(started.length, 1)
    }))

  it.effect("fails with an attempt that fails while no other runs, and starts no other", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(
        Effect.flip(Ensemble.hedge(journal.after("call", 10, Effect.fail("no")), { after: 50 }))
      )
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "no")
      yield* TestClock.adjust(100)
      assert.strictEqual(journal.started.length, 1)
    }))

  it.effect("lets the other attempt answer when one fails, and gives the first error when both do", () =>
    Effect.gen(function*() {
      let attempt = 0
      const call = (...outcomes: ReadonlyArray<Effect.Effect<string, string>>) => {
        attempt = 0
        return Effect.suspend(() => outcomes[attempt++]!)
      }
      const rescued = yield* Effect.forkChild(Ensemble.hedge(
        call(Effect.delay(Effect.fail("first"), 60), Effect.delay(Effect.succeed("second"), 20)),
        { after: 50 }
      ))
      yield* TestClock.adjust(70)
      assert.strictEqual(yield* Fiber.join(rescued), "second")
      const lost = yield* Effect.forkChild(Effect.flip(Ensemble.hedge(
        call(Effect.delay(Effect.fail("first"), 60), Effect.delay(Effect.fail("second"), 5)),
        { after: 50 }
      )))
      yield* TestClock.adjust(60)
      assert.strictEqual(yield* Fiber.join(lost), "second")
    }))

  it.effect("interrupts both attempts when it is interrupted", () =>
    Effect.gen(function*() {
      const { call, interrupted } = attempts(1000, 1000)
      const fiber = yield* Effect.forkChild(Ensemble.hedge(call, { after: 50 }))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(interrupted, ["1", "2"])
    }))

  it.effect("says in the span which attempt won", () =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Ensemble.hedge(Effect.succeed(1), { after: 50 })
      assert.strictEqual(span.attributes.get("ensemble.attempt"), 1)
    }).pipe(Effect.withSpan("test")))

  it.effect("dies of a number of attempts that cannot be", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Ensemble.hedge(Effect.void, { after: 1, attempts: 0 }))
      assert.instanceOf(Exit.isFailure(exit) && Cause.squash(exit.cause), RangeError)
    }))
})

describe("Ensemble.makeHedge", () => {
  const delayOf = (hedge: Ensemble.Hedge) => Effect.map(hedge.delay, Duration.toMillis)

  /** Runs calls that take so long, one after another, with only their first attempt slow. */
  const runAll = Effect.fnUntraced(function*(hedge: Ensemble.Hedge, latencies: ReadonlyArray<number>) {
    for (const millis of latencies) {
      let attempt = 0
      const call = Effect.suspend(() => Effect.sleep(attempt++ === 0 ? millis : 1))
      const fiber = yield* Effect.forkChild(hedge.run(call))
      yield* TestClock.adjust(Math.max(...latencies) + 1)
      yield* Fiber.join(fiber)
    }
  })

  const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

  it.effect("waits as it is told until it has seen enough calls, then for 95 % of them", () =>
    Effect.gen(function*() {
      const hedge = yield* Ensemble.makeHedge({ after: 1000, minimum: 20 })
      yield* runAll(hedge, oneTo(19))
      assert.strictEqual(yield* delayOf(hedge), 1000)
      yield* runAll(hedge, [20])
      assert.strictEqual(yield* delayOf(hedge), 19)
    }))

  it.effect("forgets the calls before the last ones", () =>
    Effect.gen(function*() {
      const hedge = yield* Ensemble.makeHedge({ after: 1000, minimum: 1, window: 10, quantile: 0.5 })
      yield* runAll(hedge, Array.from({ length: 10 }, () => 1))
      assert.strictEqual(yield* delayOf(hedge), 1)
      yield* runAll(hedge, Array.from({ length: 6 }, () => 100))
      assert.isAbove(yield* delayOf(hedge), 1)
    }))

  it.effect("learns that calls have become slower although their second attempts win", () =>
    Effect.gen(function*() {
      const hedge = yield* Ensemble.makeHedge({ after: 10, minimum: 5, window: 20 })
      yield* runAll(hedge, Array.from({ length: 20 }, () => 10))
      assert.strictEqual(yield* delayOf(hedge), 10)
      yield* runAll(hedge, Array.from({ length: 20 }, () => 500))
      assert.isAbove(yield* delayOf(hedge), 10)
    }))

  it.effect("does not count calls that fail, nor those that their caller left early", () =>
    Effect.gen(function*() {
      const hedge = yield* Ensemble.makeHedge({ after: 1000, minimum: 1 })
      yield* Effect.ignore(hedge.run(Effect.fail("no")))
      const left = yield* Effect.forkChild(hedge.run(Effect.never))
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(left)
      assert.strictEqual(yield* delayOf(hedge), 1000)
    }))

  it.effect("dies of a window that is too small to learn from", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Ensemble.makeHedge({ after: 1, window: 10 }))
      assert.instanceOf(Exit.isFailure(exit) && Cause.squash(exit.cause), RangeError)
    }))

  it.effect("starts the second attempt after what it has learnt", () =>
    Effect.gen(function*() {
      const hedge = yield* Ensemble.makeHedge({ after: 1000, minimum: 5 })
      yield* runAll(hedge, [30, 30, 30, 30, 30])
      const journal = makeJournal()
      yield* Effect.forkChild(hedge.run(journal.after("call", 500, Effect.void)))
      yield* TestClock.adjust(29)
      assert.strictEqual(journal.started.length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(journal.started.length, 2)
    }))
})
