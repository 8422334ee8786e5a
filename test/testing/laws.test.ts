import { assert, describe, it } from "@effect/vitest"
import { Laws } from "chorale/testing"
import { Effect, Exit, Fiber, Layer } from "effect"
import { beforeAll } from "vitest"
import { holdToLaws } from "../laws/holdToLaws.ts"
import { replicated } from "./replicas.ts"
import { saboteurs } from "./saboteurs.ts"

describe("a law", () => {
  const outcomes = new Map<string, Fiber.Fiber<ReadonlyArray<Exit.Exit<void, Laws.LawBroken>>, unknown>>()

  // All at once, as most of them wait for something that does not happen.
  beforeAll(() => {
    for (const law of Laws.all) {
      const tries = Effect.forEach(
        saboteurs[law.name] ?? [],
        (broken) => Effect.scoped(Effect.flatMap(broken, (place) => Effect.exit(Laws.run(law, place)))),
        {
          concurrency: "unbounded"
        }
      )
      outcomes.set(law.name, Effect.runFork(tries))
    }
  })

  it("is broken by at least one place of which this test knows", () => {
    assert.deepStrictEqual(Laws.all.map(({ name }) => name).sort(), Object.keys(saboteurs).sort())
  })

  it("is of each number, and has a name of its own", () => {
    const numbers = Object.keys(Laws.statements).map(Number)
    assert.deepStrictEqual([...new Set(Laws.all.map(({ number }) => number))].sort((a, b) => a - b), numbers)
    assert.strictEqual(new Set(Laws.all.map(({ name }) => name)).size, Laws.all.length)
  })

  for (const law of Laws.all) {
    it.live(`is broken by a place that does not keep it: ${law.name}`, () =>
      Effect.gen(function*() {
        const exits = yield* Fiber.join(outcomes.get(law.name)!)
        assert.isAbove(exits.length, 0)
        exits.forEach((exit, index) => {
          assert.isTrue(Exit.isFailure(exit) && Exit.findErrorOption(exit)._tag === "Some", `kept by place ${index}`)
        })
      }))
  }
})

describe("a report", () => {
  const reportOf = (location: Partial<Laws.Location>, number: Laws.LawNumber) =>
    Effect.map(
      Laws.check({ ...Laws.local(Laws.layer()), ...location }, Laws.all.filter((law) => law.number === number)),
      (report) => Laws.toMarkdown([report]).split("\n").find((line) => line.startsWith(`| ${number}. `)) ?? ""
    )

  it.live("tells what is kept from what is kept in part, what cannot be, what does not apply, and what is broken", () =>
    Effect.gen(function*() {
      assert.match(yield* reportOf({ without: {} }, 11), /\| kept \|$/)
      assert.match(yield* reportOf({ without: { errors: "they do not fit" } }, 2), /\| in part \[1\] \|$/)
      assert.match(yield* reportOf({ without: { traces: "they do not fit" } }, 11), /\| no \[1\] \|$/)
      assert.match(yield* reportOf({ without: {} }, 9), /\| - \[1\] \|$/)
      // What does not apply anyway cannot be missed.
      const without = { encoding: "there is none", defects: "they do not fit" }
      assert.match(yield* reportOf({ without }, 3), /\| in part \[1\] \[2\] \|$/)
      assert.match(yield* reportOf({ without: { encoding: "there is none" } }, 3), /\| kept \[1\] \|$/)
      const wrong = Layer.effect(
        Laws.Probe,
        Effect.map(Laws.Probe, (probe) => ({ ...probe, double: () => Effect.succeed(0) }))
      )
      const broken = Laws.local(Layer.provideMerge(Laws.layerRelay, Layer.provide(wrong, Laws.layerProbe())))
      assert.match(yield* reportOf(broken, 7), /\| \*\*broken\*\* 2 of 3 \[1\] \[2\] \|$/)
    }))
})

holdToLaws("three replicas in this process", replicated(3))
