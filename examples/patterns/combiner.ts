/**
 * One answer from the answers of several models.
 *
 * Seldon: a combiner, of which it ships the average and leaves the rest to a component of one's own. Here are the mean
 * of probabilities, the vote, the quorum, and a final model over all of them (stacking).
 */
import { Ensemble } from "chorale"
import { Console, Effect } from "effect"
import { Capitals, Classifiers, Keywords, type Label, messages, mostLikely, Punctuation } from "./models.ts"

const combine = Effect.fn("combine")(function*(text: string) {
  const keywords = yield* Keywords
  const punctuation = yield* Punctuation
  const capitals = yield* Capitals
  const kind = (classify: typeof keywords.classify) => Effect.map(classify({ text }), ({ kind }) => kind)
  const kinds = {
    keywords: kind(keywords.classify),
    punctuation: kind(punctuation.classify),
    capitals: kind(capitals.classify)
  }
  const mean = yield* Ensemble.weightedMean({
    keywords: keywords.probabilities({ text }),
    punctuation: punctuation.probabilities({ text }),
    capitals: capitals.probabilities({ text })
  }, { keywords: 3, punctuation: 2, capitals: 1 })
  const vote = yield* Ensemble.vote(kinds)
  const two = yield* Ensemble.quorum(kinds, { count: 2 }).pipe(
    Effect.map(({ value }): string => value),
    Effect.catchTag("NoQuorum", () => Effect.succeed("no two agree"))
  )
  const stacked = yield* Ensemble.stack({
    keywords: keywords.classify({ text }),
    punctuation: punctuation.classify({ text })
  }, ({ keywords, punctuation }) => Effect.succeed(surer(keywords, punctuation).kind))
  return `mean: ${mostLikely(mean).kind}, vote: ${vote.value} (${
    vote.members.join(" and ")
  }), quorum: ${two}, stack: ${stacked}`
})

/** The final model of the stack: it believes the one that is more sure. */
const surer = (a: typeof Label.Type, b: typeof Label.Type) => a.confidence >= b.confidence ? a : b

export const program = Effect.gen(function*() {
  for (const text of messages) yield* Console.log(`${text}\n  ${yield* combine(text)}`)
}).pipe(Effect.provide(Classifiers))

if (import.meta.main) await Effect.runPromise(program)
