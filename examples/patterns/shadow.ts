/**
 * A candidate that sees the traffic of the model in use, whose answers nobody gets.
 *
 * Seldon: an experiment with a `mirror`, whose answers are dropped. Here the answers of both are compared, at most so
 * many shadows run, and a shadow that fails or hangs is none of the caller's business.
 */
import { Ensemble } from "chorale"
import { Console, Effect, Exit } from "effect"
import { Classifiers, Keywords, type Kind, messages, Punctuation } from "./models.ts"

export const program = Effect.gen(function*() {
  const keywords = yield* Keywords
  const punctuation = yield* Punctuation
  const differences: Array<string> = []
  const mirror = yield* Ensemble.makeMirror({
    concurrency: messages.length + 1,
    onMirrored: ({ answer, shadow }: Ensemble.Mirrored<{ kind: Kind }, unknown, { kind: Kind }, unknown>) =>
      Effect.sync(() => {
        if (Exit.isSuccess(answer) && Exit.isSuccess(shadow) && answer.value.kind !== shadow.value.kind) {
          differences.push(`${answer.value.kind} or ${shadow.value.kind}`)
        }
      })
  })
  for (const text of messages) {
    const { kind } = yield* mirror.run(keywords.classify({ text }), punctuation.classify({ text }))
    yield* Console.log(`${text} -> ${kind}`)
  }
  yield* mirror.run(keywords.classify({ text: messages[0] }), Effect.die("a bug of the candidate"))
  yield* Effect.repeat(Effect.yieldNow, { until: () => Effect.map(mirror.counts, ({ running }) => running === 0) })
  const { dropped, mirrored } = yield* mirror.counts
  yield* Console.log(`${mirrored} mirrored, ${dropped} dropped; they differ on: ${differences.join(", ") || "nothing"}`)
}).pipe(Effect.scoped, Effect.provide(Classifiers))

if (import.meta.main) await Effect.runPromise(program)
