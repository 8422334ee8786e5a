/**
 * A part of the traffic for each of two models.
 *
 * KServe: a Splitter node, whose weights add up to 100 and whose choice is made anew for every request. Seldon: an
 * experiment with weighted candidates (A/B test), sticky by a header that the client must send back. Here a key
 * decides: the same user gets the same model from any process, and raising a weight moves users only to the model that
 * gained.
 */
import { Ensemble } from "chorale"
import { Console, Effect, Random } from "effect"
import { Classifiers, Keywords, messages, Punctuation } from "./models.ts"

const users = Array.from({ length: 1000 }, (_, index) => `user-${index}`)

/** Which model answers each of the users. */
const assign = Effect.fnUntraced(function*(candidate: number, key: (user: string) => string | undefined) {
  const keywords = yield* Keywords
  const punctuation = yield* Punctuation
  const text = messages[0]
  return yield* Effect.forEach(users, (user) =>
    Ensemble.split({
      stable: Effect.as(keywords.classify({ text }), "stable"),
      candidate: Effect.as(punctuation.classify({ text }), "candidate")
    }, { weights: { stable: 100 - candidate, candidate }, key: key(user), name: "reader-test" }))
})

const count = (models: ReadonlyArray<string>) => models.filter((model) => model === "candidate").length

export const program = Effect.gen(function*() {
  const sticky = (user: string) => user
  const [tenth, again, half] = [yield* assign(10, sticky), yield* assign(10, sticky), yield* assign(50, sticky)]
  yield* Console.log(`${count(tenth)} of ${users.length} users have the candidate at weight 10`)
  yield* Console.log(
    `${users.filter((_, index) => tenth[index] !== again[index]).length} see another model the next time`
  )
  const lost = users.filter((_, index) => tenth[index] === "candidate" && half[index] === "stable").length
  yield* Console.log(`${count(half)} have it at weight 50, and ${lost} have lost it`)
  yield* Console.log(`${count(yield* assign(10, () => undefined))} of ${users.length} requests without a key get it`)
}).pipe(Effect.provide(Classifiers), Random.withSeed("splitter"))

if (import.meta.main) await Effect.runPromise(program)
