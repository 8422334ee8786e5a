/**
 * One model after another.
 *
 * KServe: a Sequence node, whose steps take `$request` or the `$response` of the step before. Here the steps are lines
 * of a program, which may use whatever came before. A step that fails ends the sequence with its typed error; a Soft
 * step of KServe hands the body of the error to the next model.
 */
import { Model } from "chorale"
import { Console, Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { Keywords, KeywordsLive, Kind, messages } from "./models.ts"

class Cleaner extends Model.Service<Cleaner>()("patterns/Cleaner", [
  Rpc.make("clean", { payload: { text: Schema.String }, success: Schema.String })
]) {}

class Replier extends Model.Service<Replier>()("patterns/Replier", [
  Rpc.make("reply", { payload: { text: Schema.String, kind: Kind }, success: Schema.String })
]) {}

const CleanerLive = Cleaner.toLayer({ clean: ({ text }) => Effect.succeed(text.trim().replaceAll(/\s+/g, " ")) })

const ReplierLive = Replier.toLayer({
  reply: ({ kind, text }) => Effect.succeed(`we have read your ${kind} of ${text.length} letters`)
})

const answer = Effect.fn("answer")(function*(text: string) {
  const cleaner = yield* Cleaner
  const keywords = yield* Keywords
  const replier = yield* Replier
  const cleaned = yield* cleaner.clean({ text })
  const { kind } = yield* keywords.classify({ text: cleaned })
  return yield* replier.reply({ text: cleaned, kind })
})

export const program = Effect.gen(function*() {
  yield* Console.log(yield* answer(`  ${messages[0]}  `))
  const error = yield* Effect.flip(answer("?!"))
  yield* Console.log(`"?!" ends with ${error._tag}`)
}).pipe(Effect.provide(Layer.mergeAll(CleanerLive, KeywordsLive, ReplierLive)))

if (import.meta.main) await Effect.runPromise(program)
