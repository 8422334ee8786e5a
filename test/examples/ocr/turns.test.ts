import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Turns } from "../../../examples/ocr/turns.ts"
import { finish, type Work } from "../../../examples/ocr/work.ts"

/** Computes for so many milliseconds, and may be paused after each. */
const compute = function*(milliseconds: number, onStep: () => void = () => {}): Work<number> {
  for (let step = 0; step < milliseconds; step++) {
    const end = performance.now() + 1
    while (performance.now() < end) continue
    onStep()
    yield
  }
  return milliseconds
}

const run = <A>(work: Work<A>) => Turns.use((turns) => turns.run(work))

describe("Turns", () => {
  it.live("give what a calculation returns, paused or not", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* run(compute(20)), 20)
      assert.strictEqual(finish(compute(2)), 2)
    }).pipe(Effect.provide(Turns.layer)))

  it.live("let the event loop turn while many calculations wait", () =>
    Effect.gen(function*() {
      let turns = 0
      const count = () => {
        turns++
        immediate = setImmediate(count)
      }
      let immediate = setImmediate(count)
      yield* Effect.forEach(Array.from({ length: 10 }), () => run(compute(10)), { concurrency: "unbounded" })
      clearImmediate(immediate)
      assert.isAtLeast(turns, 10)
    }).pipe(Effect.provide(Turns.layer)))

  it.live("finish calculations in the order in which they came", () =>
    Effect.gen(function*() {
      const finished: Array<number> = []
      yield* Effect.forEach(
        [8, 1, 4],
        (length) => Effect.tap(run(compute(length)), () => Effect.sync(() => finished.push(length))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(finished, [8, 1, 4])
    }).pipe(Effect.provide(Turns.layer)))

  it.live("drop a calculation whose caller went away, and go on with the others", () =>
    Effect.gen(function*() {
      let steps = 0
      const dropped = yield* Effect.forkChild(run(compute(1_000_000, () => steps++)), { startImmediately: true })
      const other = yield* Effect.forkChild(run(compute(1)), { startImmediately: true })
      yield* Fiber.interrupt(dropped)
      assert.strictEqual(yield* Fiber.join(other), 1)
      assert.isBelow(steps, 1000)
    }).pipe(Effect.provide(Turns.layer)))

  it.live("make an exception of a calculation a defect of its caller alone", () =>
    Effect.gen(function*() {
      const broken = function*(): Work<number> {
        yield
        throw new Error("a bug")
      }
      const [exit, length] = yield* Effect.all([Effect.exit(run(broken())), run(compute(2))], {
        concurrency: "unbounded"
      })
      assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual(length, 2)
    }).pipe(Effect.provide(Turns.layer)))
})
