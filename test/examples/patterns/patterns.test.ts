import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestConsole } from "effect/testing"
import { readdirSync } from "node:fs"
import * as Bandit from "../../../examples/patterns/bandit.ts"
import * as Combiner from "../../../examples/patterns/combiner.ts"
import * as Ensemble from "../../../examples/patterns/ensemble.ts"
import * as Joins from "../../../examples/patterns/joins.ts"
import * as Pipeline from "../../../examples/patterns/pipeline.ts"
import * as Sequence from "../../../examples/patterns/sequence.ts"
import * as Shadow from "../../../examples/patterns/shadow.ts"
import * as Splitter from "../../../examples/patterns/splitter.ts"
import * as Switch from "../../../examples/patterns/switch.ts"

interface Pattern {
  readonly program: Effect.Effect<void, unknown>
  readonly prints: ReadonlyArray<string>
}

const patterns: Readonly<Record<string, Pattern>> = {
  bandit: {
    ...Bandit,
    prints: ["red: 115 calls, blue: 1885 calls", "59 % were liked; the better model alone has 60 %"]
  },
  combiner: {
    ...Combiner,
    prints: [
      "Where is my parcel?\n" +
      "  mean: question, vote: question (keywords and punctuation and capitals), quorum: question, stack: question",
      "It arrived BROKEN, I want a refund!!\n" +
      "  mean: complaint, vote: complaint (keywords and punctuation and capitals), quorum: complaint, stack: complaint",
      "Great service, thanks!\n" +
      "  mean: praise, vote: praise (keywords and punctuation), quorum: praise, stack: praise",
      "why is it late again??\n" +
      "  mean: question, vote: question (punctuation and capitals), quorum: question, stack: question"
    ]
  },
  ensemble: {
    ...Ensemble,
    prints: [
      "keywords: complaint, punctuation: complaint, capitals: complaint",
      "answered: keywords, punctuation, capitals; down: failed"
    ]
  },
  joins: { ...Joins, prints: ["inner: near 1, middle 2", "outer: near 1, middle 2, far too late", "any: 1"] },
  pipeline: {
    ...Pipeline,
    prints: ["stripes: dark, with 6 vertical edges", "paper: bright, with 0 vertical edges"]
  },
  sequence: {
    ...Sequence,
    prints: ["we have read your question of 19 letters", "\"?!\" ends with Unreadable"]
  },
  shadow: {
    ...Shadow,
    prints: [
      "Where is my parcel? -> question",
      "It arrived BROKEN, I want a refund!! -> complaint",
      "Great service, thanks! -> praise",
      "why is it late again?? -> complaint",
      "5 mirrored, 0 dropped; they differ on: complaint or question"
    ]
  },
  splitter: {
    ...Splitter,
    prints: [
      "98 of 1000 users have the candidate at weight 10",
      "0 see another model the next time",
      "506 have it at weight 50, and 0 have lost it",
      "90 of 1000 requests without a key get it"
    ]
  },
  switch: {
    ...Switch,
    prints: [
      "Where is my parcel? -> see page 12",
      "It arrived BROKEN, I want a refund!! -> we will call you",
      "Great service, thanks! -> thank you",
      "why is it late again?? -> we will call you",
      "fr -> NoModel"
    ]
  }
}

describe("a pattern of another system", () => {
  for (const [name, { prints, program }] of Object.entries(patterns)) {
    it.live(`${name} runs and prints what it shows`, () =>
      Effect.gen(function*() {
        yield* program
        assert.deepStrictEqual(yield* TestConsole.logLines, prints)
      }).pipe(Effect.provide(TestConsole.layer)))
  }

  it("is tested here wherever there is one", () => {
    const files = readdirSync(new URL("../../../examples/patterns/", import.meta.url))
    assert.deepStrictEqual(
      files.toSorted(),
      [...Object.keys(patterns), "models"].map((name) => `${name}.ts`).toSorted()
    )
  })
})
