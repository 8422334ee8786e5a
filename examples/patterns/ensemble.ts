/**
 * Several models on the same input, their answers by name.
 *
 * KServe: an Ensemble node, which merges the answers into an object with the names of the steps. A Hard step that fails
 * fails the request and leaves the other calls running; a Soft one puts the body of its error among the answers. Here
 * `all` interrupts the others, and `settled` keeps answers and errors apart, both with types by name.
 */
import { Ensemble } from "chorale"
import { Console, Effect, Exit } from "effect"
import { Capitals, Classifiers, Keywords, messages, Punctuation } from "./models.ts"

const members = Effect.fnUntraced(function*(text: string) {
  return {
    keywords: (yield* Keywords).classify({ text }),
    punctuation: (yield* Punctuation).classify({ text }),
    capitals: (yield* Capitals).classify({ text })
  }
})

export const program = Effect.gen(function*() {
  const { capitals, keywords, punctuation } = yield* Ensemble.all(yield* members(messages[1]))
  yield* Console.log(`keywords: ${keywords.kind}, punctuation: ${punctuation.kind}, capitals: ${capitals.kind}`)

  const outcomes = yield* Ensemble.settled({
    ...(yield* members(messages[2])),
    down: Effect.fail("no replica answered")
  })
  const answered = Object.entries(outcomes).flatMap(([name, outcome]) => outcome._tag === "Success" ? [name] : [])
  yield* Console.log(`answered: ${answered.join(", ")}; down: ${Exit.isFailure(outcomes.down) ? "failed" : "answered"}`)
}).pipe(Effect.provide(Classifiers))

if (import.meta.main) await Effect.runPromise(program)
