import { assert, describe, it } from "@effect/vitest"
import { Ensemble, Tensor } from "chorale"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeJournal } from "./fixtures/members.ts"

const isRangeError = (exit: Exit.Exit<unknown, unknown>, words: string) => {
  assert.isTrue(Exit.hasDies(exit))
  const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(defect, RangeError)
  assert.include(String(defect), words)
}

describe("Ensemble.all", () => {
  it.effect("takes as long as its slowest member and answers by name", () =>
    Effect.gen(function*() {
      const { after } = makeJournal()
      const fiber = yield* Effect.forkChild(Ensemble.all({
        slow: after("slow", 150, Effect.succeed("a")),
        fast: after("fast", 100, Effect.succeed(1))
      }))
      yield* TestClock.adjust(149)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { slow: "a", fast: 1 })
    }))

  it.effect("interrupts the rest at the first failure", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Effect.flip(Ensemble.all({
        slow: journal.after("slow", 150, Effect.succeed("a")),
        failing: journal.after("failing", 100, Effect.fail("no"))
      })))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(fiber), "no")
      assert.deepStrictEqual(journal.interrupted, ["slow"])
      assert.strictEqual(journal.running.size, 0)
    }))

  it.effect("interrupts every member when it is interrupted", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(
        Ensemble.all({ a: journal.after("a", 10, Effect.void), b: journal.after("b", 20, Effect.void) })
      )
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(journal.interrupted, ["a", "b"])
    }))

  it.effect("of no members answers with no answers", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Ensemble.all({}), {})
    }))

  it.effect("can be run again", () =>
    Effect.gen(function*() {
      let runs = 0
      const ensemble = Ensemble.all({ a: Effect.sync(() => ++runs) })
      assert.deepStrictEqual([yield* ensemble, yield* ensemble], [{ a: 1 }, { a: 2 }])
    }))
})

describe("Ensemble.settled", () => {
  it.effect("gives how each member ended, defects included", () =>
    Effect.gen(function*() {
      const exits = yield* Ensemble.settled({
        answer: Effect.succeed(1),
        error: Effect.fail("no"),
        defect: Effect.die("a bug")
      })
      assert.deepStrictEqual(exits, { answer: Exit.succeed(1), error: Exit.fail("no"), defect: Exit.die("a bug") })
    }))

  it.effect("lets members go on when another fails", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Ensemble.settled({
        failing: journal.after("failing", 10, Effect.fail("no")),
        slow: journal.after("slow", 20, Effect.succeed(2))
      }))
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { failing: Exit.fail("no"), slow: Exit.succeed(2) })
    }))

  it.effect("is interrupted with its members", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Ensemble.settled({ a: journal.after("a", 10, Effect.void) }))
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(journal.interrupted, ["a"])
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    }))
})

describe("Ensemble.stack", () => {
  it.effect("gives the answers of all members to the final model", () =>
    Effect.gen(function*() {
      const stacked = Ensemble.stack(
        { a: Effect.succeed(2), b: Effect.succeed("x") },
        ({ a, b }) => Effect.succeed(b.repeat(a))
      )
      assert.strictEqual(yield* stacked, "xx")
    }))

  it.effect("does not ask the final model when a member fails", () =>
    Effect.gen(function*() {
      const stacked = Ensemble.stack({ a: Effect.fail("no") }, () => Effect.die("asked"))
      assert.strictEqual(yield* Effect.flip(stacked), "no")
    }))
})

const floats = (...values: ReadonlyArray<number>) => Tensor.make("float32", [values.length], Float32Array.from(values))

describe("Ensemble.mean", () => {
  it.effect("of numbers is their mean", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* Ensemble.mean({ a: Effect.succeed(1), b: Effect.succeed(2), c: Effect.succeed(6) }),
        3
      )
    }))

  it.effect("of numbers that are the same is that number, exactly", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* Ensemble.mean({ a: Effect.succeed(7), b: Effect.succeed(7), c: Effect.succeed(7) }),
        7
      )
    }))

  it.effect("of tensors is taken element by element, and keeps dtype and shape", () =>
    Effect.gen(function*() {
      const mean = yield* Ensemble.mean({ a: Effect.succeed(floats(1, 10)), b: Effect.succeed(floats(3, 20)) })
      assert.deepStrictEqual(mean, floats(2, 15))
    }))

  it.effect("of float32 tensors is summed in double precision", () =>
    Effect.gen(function*() {
      const members = { large: floats(2 ** 24), one: floats(1), another: floats(1), less: floats(-(2 ** 24)) }
      const mean = yield* Ensemble.mean({
        large: Effect.succeed(members.large),
        one: Effect.succeed(members.one),
        another: Effect.succeed(members.another),
        less: Effect.succeed(members.less)
      })
      assert.deepStrictEqual(mean, floats(0.5))
    }))

  it.effect("of float64 tensors is a float64 tensor", () =>
    Effect.gen(function*() {
      const tensor = Tensor.make("float64", [1, 1], Float64Array.of(0.1))
      assert.deepStrictEqual(yield* Ensemble.mean({ a: Effect.succeed(tensor) }), tensor)
    }))

  it.effect("names the member whose dtype or shape is another one", () =>
    Effect.gen(function*() {
      const shape = yield* Effect.flip(
        Ensemble.mean({ a: Effect.succeed(floats(1)), b: Effect.succeed(floats(1)), c: Effect.succeed(floats(1, 2)) })
      )
      assert.deepInclude(shape, { member: "c", expected: "float32[1]", actual: "float32[2]" })
      const dtype = yield* Effect.flip(Ensemble.mean({
        a: Effect.succeed(floats(1)),
        b: Effect.succeed(Tensor.make("float64", [1], Float64Array.of(1)))
      }))
      assert.deepInclude(dtype, { member: "b", expected: "float32[1]", actual: "float64[1]" })
    }))

  it.effect("leaves the tensors of the members as they are", () =>
    Effect.gen(function*() {
      const a = floats(1)
      const mean = yield* Ensemble.mean({ a: Effect.succeed(a) })
      assert.notStrictEqual(mean.data, a.data)
      assert.deepStrictEqual(a, floats(1))
    }))

  it.effect("fails with the first member, and interrupts the rest", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(Effect.flip(Ensemble.mean({
        a: journal.after("a", 20, Effect.succeed(1)),
        b: journal.after("b", 10, Effect.fail("no"))
      })))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "no")
      assert.deepStrictEqual(journal.interrupted, ["a"])
    }))
})

describe("Ensemble.weightedMean", () => {
  it.effect("counts each member by its weight, of which only the proportion matters", () =>
    Effect.gen(function*() {
      const members = { a: Effect.succeed(1), b: Effect.succeed(5) }
      assert.strictEqual(yield* Ensemble.weightedMean(members, { a: 3, b: 1 }), 2)
      assert.strictEqual(yield* Ensemble.weightedMean(members, { a: 0.75, b: 0.25 }), 2)
      const tensor = (value: number) => Effect.succeed(Tensor.make("float32", [1], Float32Array.of(value)))
      const mean = yield* Ensemble.weightedMean({ a: tensor(1), b: tensor(5) }, { a: 3, b: 1 })
      assert.deepStrictEqual(mean.data, Float32Array.of(2))
    }))

  it.effect("leaves out what a member of weight zero answers, whatever it is", () =>
    Effect.gen(function*() {
      const weights = { a: 2, b: 0 }
      for (const odd of [NaN, Infinity]) {
        assert.strictEqual(yield* Ensemble.weightedMean({ a: Effect.succeed(3), b: Effect.succeed(odd) }, weights), 3)
        const tensors = { a: Effect.succeed(floats(3, 4)), b: Effect.succeed(floats(odd, 1)) }
        assert.deepStrictEqual(yield* Ensemble.weightedMean(tensors, weights), floats(3, 4))
      }
    }))

  it.effect("dies of weights that cannot be", () =>
    Effect.gen(function*() {
      const members = { a: Effect.succeed(1), b: Effect.succeed(5) }
      isRangeError(yield* Effect.exit(Ensemble.weightedMean(members, { a: -1, b: 2 })), "the weight of a is -1")
      isRangeError(yield* Effect.exit(Ensemble.weightedMean(members, { a: 1, b: NaN })), "the weight of b is NaN")
      isRangeError(yield* Effect.exit(Ensemble.weightedMean(members, { a: 0, b: 0 })), "a weight above zero")
    }))
})

describe("Ensemble.fallback", () => {
  it.effect("does not start a step when the one before answers", () =>
    Effect.gen(function*() {
      const journal = makeJournal()
      const fiber = yield* Effect.forkChild(
        Ensemble.fallback([
          journal.after("a", 1, Effect.fail("no")),
          journal.after("b", 1, Effect.succeed("b")),
          journal.after("c", 1, Effect.succeed("c"))
        ])
      )
      yield* TestClock.adjust(2)
      assert.strictEqual(yield* Fiber.join(fiber), "b")
      assert.deepStrictEqual(journal.started, ["a", "b"])
    }))

  it.effect("fails with the error of the last step when all fail", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.flip(Ensemble.fallback([Effect.fail("a"), Effect.fail("b")])), "b")
    }))

  it.effect("passes on errors that it is not for", () =>
    Effect.gen(function*() {
      const isString = (error: string | number): error is string => typeof error === "string"
      const steps = (error: string | number) =>
        Ensemble.fallback([Effect.fail(error), Effect.fail(error), Effect.succeed("ok")], isString)
      assert.strictEqual(yield* steps("down"), "ok")
      assert.strictEqual(yield* Effect.flip(steps(1)), 1)
    }))

  it.effect("hides no defect", () =>
    Effect.gen(function*() {
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Ensemble.fallback([Effect.die("a bug"), Effect.succeed(1)]))))
    }))
})

describe("Ensemble.cascade", () => {
  const sure = (confidence: number) => Effect.succeed({ confidence })
  const options = { confidence: ({ confidence }: { confidence: number }) => confidence, atLeast: 0.9 }

  it.effect("ends with the first answer that is sure enough, at the limit too", () =>
    Effect.gen(function*() {
      const answer = yield* Ensemble.cascade({ a: sure(0.8), b: sure(0.9), c: Effect.die("asked") }, options)
      assert.strictEqual(answer.confidence, 0.9)
    }))

  it.effect("takes the last answer however sure it is", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Ensemble.cascade({ a: sure(0.8), b: sure(0.1) }, options)).confidence, 0.1)
    }))

  it.effect("asks the next model when the confidence is no number", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Ensemble.cascade({ a: sure(NaN), b: sure(0.1) }, options)).confidence, 0.1)
    }))

  it.effect("fails with a model that fails", () =>
    Effect.gen(function*() {
      const failing: Effect.Effect<{ confidence: number }, string> = Effect.fail("no")
      assert.strictEqual(yield* Effect.flip(Ensemble.cascade({ a: failing, b: sure(1) }, options)), "no")
    }))

  it.effect("says in the span who answered", () =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Ensemble.cascade({ small: sure(0.1), large: sure(0.2) }, options)
      assert.strictEqual(span.attributes.get("ensemble.member"), "large")
    }).pipe(Effect.withSpan("test")))
})

describe("Ensemble.switchBy", () => {
  const value = (value: "a" | "b") => value

  it.effect("runs the one case that has the name of the value", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Ensemble.switchBy(value("b"), { a: Effect.die("run"), b: Effect.succeed(2) }), 2)
      const flag = (flag: boolean) => flag
      assert.strictEqual(yield* Ensemble.switchBy(flag(true), { true: Effect.succeed(1), false: Effect.succeed(0) }), 1)
    }))

  it.effect("gives any other value to otherwise, names that every object has included", () =>
    Effect.gen(function*() {
      const route = (language: string) =>
        Ensemble.switchBy(language, { de: Effect.succeed("deutsch") }, (other) => Effect.fail(`no ${other}`))
      assert.strictEqual(yield* route("de"), "deutsch")
      assert.strictEqual(yield* Effect.flip(route("toString")), "no toString")
    }))
})
