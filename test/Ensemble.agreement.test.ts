import { assert, describe, it } from "@effect/vitest"
import { Ensemble, Tensor } from "chorale"
import { Cause, Effect, Exit, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { makeJournal } from "./fixtures/members.ts"

const answer = (value: string): Effect.Effect<string, string> => Effect.succeed(value)
const failing: Effect.Effect<string, string> = Effect.fail("no")

const isRangeError = (exit: Exit.Exit<unknown, unknown>, words: string) => {
  const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(defect, RangeError)
  assert.include(String(defect), words)
}

describe("Ensemble.quorum", () => {
  it.effect("ends at the answer that makes it full and interrupts the rest", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(
        Ensemble.quorum({
          slow: journal.after("slow", 30, answer("x")),
          b: journal.after("b", 20, answer("x")),
          a: journal.after("a", 10, answer("x"))
        }, { count: 2 })
      )
      yield* TestClock.adjust(19)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { value: "x", members: ["b", "a"] })
      assert.deepStrictEqual(journal.interrupted, ["slow"])
      assert.strictEqual(journal.running.size, 0)
    }))

  it.effect("of all members needs the last of them", () =>
    Effect.gen(function*() {
      const agreed = yield* Ensemble.quorum({ a: answer("x"), b: answer("x") }, { count: 2 })
      assert.deepStrictEqual(agreed, { value: "x", members: ["a", "b"] })
    }))

  it.effect("fails as soon as it cannot be reached, with what was said until then", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Effect.flip(
        Ensemble.quorum({
          a: journal.after("a", 10, answer("x")),
          b: journal.after("b", 20, answer("y")),
          c: journal.after("c", 30, failing),
          slow: journal.after("slow", 40, answer("x"))
        }, { count: 3 })
      ))
      yield* TestClock.adjust(29)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, Ensemble.NoQuorum)
      assert.strictEqual(error.needed, 3)
      assert.deepStrictEqual(error.outcomes, { a: Result.succeed("x"), b: Result.succeed("y"), c: Result.fail("no") })
      assert.deepStrictEqual(journal.interrupted, ["slow"])
    }))

  it.effect("goes on while one more answer can make it full", () =>
    Effect.gen(function*() {
      const agreed = yield* Ensemble.quorum(
        { a: answer("x"), b: failing, c: answer("y"), d: Effect.delay(answer("x"), 0) },
        { count: 2 }
      ).pipe(Effect.forkChild, Effect.tap(TestClock.adjust(0)), Effect.flatMap(Fiber.join))
      assert.deepStrictEqual(agreed, { value: "x", members: ["a", "d"] })
    }))

  it.effect("counts on the largest group after an answer that is in a smaller one", () =>
    Effect.gen(function*() {
      const agreed = yield* Ensemble.quorum(
        { a: answer("x"), b: answer("x"), c: answer("y"), d: answer("x") },
        { count: 3 }
      )
      assert.deepStrictEqual(agreed, { value: "x", members: ["a", "b", "d"] })
    }))

  it.effect("fails when every member fails", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Ensemble.quorum({ a: failing, b: failing }, { count: 1 }))
      assert.deepStrictEqual(error.outcomes, { a: Result.fail("no"), b: Result.fail("no") })
    }))

  it.effect("compares answers by their content, tensors too", () =>
    Effect.gen(function*() {
      const tensor = () => Effect.sync(() => Tensor.make("float32", [2], Float32Array.of(1, 2)))
      const agreed = yield* Ensemble.quorum({ a: tensor(), b: tensor() }, { count: 2 })
      assert.deepStrictEqual(agreed.members, ["a", "b"])
    }))

  it.effect("lets an equivalence say what agrees, and gives the answer of the member listed first", () =>
    Effect.gen(function*() {
      const near = (a: number, b: number) => Math.abs(a - b) < 0.1
      const fiber = yield* Effect.forkChild(Ensemble.quorum({
        a: Effect.delay(Effect.succeed(1.05), 10),
        b: Effect.succeed(1),
        c: Effect.succeed(2)
      }, { count: 2, equivalence: near }))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { value: 1.05, members: ["a", "b"] })
    }))

  it.effect("dies of a defect of a member", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Ensemble.quorum({ a: Effect.die("a bug"), b: Effect.never, c: Effect.never }, { count: 1 })
      )
      assert.deepStrictEqual(exit, Exit.die("a bug"))
    }))

  it.effect("interrupts its members when it is interrupted", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(
        Ensemble.quorum({ a: journal.after("a", 10, answer("x")), b: journal.after("b", 20, answer("x")) }, {
          count: 2
        })
      )
      yield* TestClock.adjust(15)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(journal.interrupted, ["b"])
    }))

  it.effect("interrupts the rest also where it cannot be interrupted itself", () =>
    Effect.gen(function*() {
      const agreed = yield* Effect.uninterruptible(
        Ensemble.quorum({ a: answer("x"), b: Effect.never }, { count: 1 })
      )
      assert.deepStrictEqual(agreed.members, ["a"])
    }))

  it.effect("dies of an equivalence that throws, and leaves no member running", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const bug = new Error("a bug")
      const fiber = yield* Effect.forkChild(Effect.exit(Ensemble.quorum({
        a: answer("x"),
        slow: journal.after("slow", 20, answer("x")),
        b: journal.after("b", 10, answer("x"))
      }, {
        count: 2,
        equivalence: () => {
          throw bug
        }
      })))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.die(bug))
      assert.deepStrictEqual(journal.interrupted, ["slow"])
    }))

  it.effect("dies of a count that its members cannot make", () =>
    Effect.gen(function*() {
      for (const count of [0, 3, 1.5, NaN]) {
        isRangeError(
          yield* Effect.exit(Ensemble.quorum({ a: answer("x"), b: answer("x") }, { count })),
          `count is ${count}, and not a whole number from 1 to the 2 members`
        )
      }
      const none: Record<string, Effect.Effect<string>> = {}
      isRangeError(yield* Effect.exit(Ensemble.quorum(none, { count: 1 })), "at least one member")
    }))
})

describe("Ensemble.vote", () => {
  it.effect("gives the answer of the most members, and how many of all they are", () =>
    Effect.gen(function*() {
      const vote = yield* Ensemble.vote({ a: answer("x"), b: answer("y"), c: answer("y"), d: failing })
      assert.deepStrictEqual(vote, { value: "y", members: ["b", "c"], support: 0.5 })
    }))

  it.effect("gives the answer with the most weight", () =>
    Effect.gen(function*() {
      const vote = yield* Ensemble.vote({ a: answer("x"), b: answer("y"), c: answer("y") }, {
        weights: { a: 5, b: 2, c: 1 }
      })
      assert.deepStrictEqual(vote, { value: "x", members: ["a"], support: 5 / 8 })
    }))

  it.effect("decides a tie for the member listed first, whoever answers first", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Ensemble.vote({ a: Effect.delay(answer("x"), 30), b: answer("y"), c: answer("z") })
      )
      yield* TestClock.adjust(30)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { value: "x", members: ["a"], support: 1 / 3 })
    }))

  it.effect("lets a rule of the caller decide a tie, by asking another model or failing", () =>
    Effect.gen(function*() {
      const members = { a: answer("x"), b: answer("y"), c: answer("y"), d: answer("x"), e: answer("z") }
      const last = yield* Ensemble.vote(members, { tie: (tied) => Effect.succeed(tied.at(-1) ?? tied[0]) })
      assert.deepStrictEqual(last, { value: "y", members: ["b", "c"], support: 2 / 5 })
      const undecided = yield* Effect.flip(
        Ensemble.vote(members, { tie: (tied) => Effect.fail(tied.map(({ value }) => value)) })
      )
      assert.deepStrictEqual(undecided, ["x", "y"])
    }))

  it.effect("does not ask for a rule where there is no tie", () =>
    Effect.gen(function*() {
      const vote = yield* Ensemble.vote({ a: answer("x"), b: answer("x"), c: answer("y") }, {
        tie: () => Effect.die("asked")
      })
      assert.strictEqual(vote.value, "x")
    }))

  it.effect("sees a tie between sums that differ only by rounding", () =>
    Effect.gen(function*() {
      const vote = yield* Ensemble.vote({ a: answer("x"), b: answer("y"), c: answer("y") }, {
        weights: { a: 0.3, b: 0.1, c: 0.2 }
      })
      assert.strictEqual(vote.value, "x")
    }))

  it.effect("needs one answer unless it is told otherwise", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Ensemble.vote({ a: failing, b: answer("x"), c: failing })).value, "x")
      const error = yield* Effect.flip(Ensemble.vote({ a: failing, b: failing }))
      assert.deepStrictEqual(error.outcomes, { a: Result.fail("no"), b: Result.fail("no") })
    }))

  it.effect("is not won by an answer that only members of weight zero have given", () =>
    Effect.gen(function*() {
      const weights = { a: 1, b: 0, c: 0 }
      const error = yield* Effect.flip(
        Ensemble.vote({ a: failing, b: answer("x"), c: answer("x") }, { weights, tie: () => Effect.die("asked") })
      )
      assert.deepStrictEqual(error.outcomes, { a: Result.fail("no"), b: Result.succeed("x"), c: Result.succeed("x") })
      const vote = yield* Ensemble.vote({ a: answer("y"), b: answer("x"), c: answer("y") }, { weights })
      assert.deepStrictEqual(vote, { value: "y", members: ["a", "c"], support: 1 })
    }))

  it.effect("ends when the minimum cannot be reached any more, and not before", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const vote = Ensemble.vote({
        a: journal.after("a", 10, failing),
        b: journal.after("b", 20, failing),
        slow: journal.after("slow", 30, answer("x"))
      }, { minimum: 2 })
      const fiber = yield* Effect.forkChild(Effect.flip(vote))
      yield* TestClock.adjust(10)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(10)
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { needed: 2 })
      assert.deepStrictEqual(journal.interrupted, ["slow"])
    }))

  it.effect("waits for every member", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Ensemble.vote({ a: answer("x"), b: answer("x"), c: Effect.delay(answer("x"), 10) })
      )
      yield* TestClock.adjust(9)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).support, 1)
    }))

  it.effect("interrupts its members when it is interrupted", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Ensemble.vote({ a: journal.after("a", 10, answer("x")) }))
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(journal.interrupted, ["a"])
    }))

  it.effect("dies of a defect of a member, and of options that cannot be", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* Effect.exit(Ensemble.vote({ a: Effect.die("a bug"), b: Effect.never })),
        Exit.die("a bug")
      )
      isRangeError(yield* Effect.exit(Ensemble.vote({ a: answer("x") }, { minimum: 2 })), "minimum is 2")
      isRangeError(yield* Effect.exit(Ensemble.vote({ a: answer("x") }, { weights: { a: 0 } })), "above zero")
      const two = { a: answer("x"), b: answer("y") }
      // The compiler does not see that a weight is missing in a file.
      const read = JSON.parse("{ \"a\": 1, \"other\": 1 }")
      isRangeError(yield* Effect.exit(Ensemble.vote(two, { weights: read })), "the weight of b is undefined")
      const huge = { a: 1e308, b: 1e308 }
      isRangeError(yield* Effect.exit(Ensemble.vote(two, { weights: huge })), "too large to be added up")
    }))
})
