/**
 * One of several models, by what another one said.
 *
 * KServe: a Switch node, whose steps have conditions on the JSON of the request, and which answers 404 when none holds.
 * Here a case that is missing does not compile, and where any value may come, what is done otherwise is part of the
 * program.
 */
import { Ensemble, Model } from "chorale"
import { Console, Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { Keywords, KeywordsLive, messages } from "./models.ts"

const reply = Rpc.make("reply", { payload: { text: Schema.String }, success: Schema.String })

class Support extends Model.Service<Support>()("patterns/Support", [reply]) {}
class Faq extends Model.Service<Faq>()("patterns/Faq", [reply]) {}

const Repliers = Layer.mergeAll(
  Support.toLayer({ reply: () => Effect.succeed("we will call you") }),
  Faq.toLayer({ reply: () => Effect.succeed("see page 12") })
)

class NoModel extends Schema.TaggedError<NoModel>()("NoModel", { language: Schema.String }) {}

const answer = Effect.fn("answer")(function*(text: string) {
  const keywords = yield* Keywords
  const support = yield* Support
  const faq = yield* Faq
  const { kind } = yield* keywords.classify({ text })
  return yield* Ensemble.switchBy(kind, {
    complaint: support.reply({ text }),
    question: faq.reply({ text }),
    praise: Effect.succeed("thank you")
  })
})

const inLanguage = (language: string, text: string) =>
  Ensemble.switchBy(language, { en: answer(text) }, (language) => Effect.fail(new NoModel({ language })))

export const program = Effect.gen(function*() {
  for (const text of messages) yield* Console.log(`${text} -> ${yield* inLanguage("en", text)}`)
  const error = yield* Effect.flip(inLanguage("fr", "Bonjour"))
  yield* Console.log(`fr -> ${error._tag}`)
}).pipe(Effect.provide([KeywordsLive, Repliers]))

if (import.meta.main) await Effect.runPromise(program)
