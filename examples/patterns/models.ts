/** Small text classifiers that stand for larger ones: each looks at something else, and none is right alone. */
import { Model, Tensor } from "chorale"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"

export const kinds = ["complaint", "praise", "question"] as const

export const Kind = Schema.Literals(kinds)
export type Kind = typeof Kind.Type

/** What a message is, and the probability that the model gives it. */
export const Label = Schema.Struct({ kind: Kind, confidence: Schema.Finite })

/** A message without a single letter. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", { text: Schema.String }) {}

/** What all classifiers can do; `probabilities` are those of the kinds, in their order. */
const methods = [
  Rpc.make("classify", { payload: { text: Schema.String }, success: Label, error: Unreadable }),
  Rpc.make("probabilities", {
    payload: { text: Schema.String },
    success: Tensor.schema("float32", [kinds.length]),
    error: Unreadable
  })
] as const

export class Keywords extends Model.Service<Keywords>()("patterns/Keywords", methods) {}
export class Punctuation extends Model.Service<Punctuation>()("patterns/Punctuation", methods) {}
export class Capitals extends Model.Service<Capitals>()("patterns/Capitals", methods) {}

type Scores = readonly [complaint: number, praise: number, question: number]

/** The handlers of a classifier whose probabilities are the softmax of what it makes of a text. */
const classifier = (score: (text: string) => Scores) => {
  const probabilities = Effect.fnUntraced(function*({ text }: { readonly text: string }) {
    if (!/\p{L}/u.test(text)) return yield* new Unreadable({ text })
    const powers = score(text).map(Math.exp)
    const sum = powers.reduce((sum, power) => sum + power, 0)
    return Tensor.make("float32", [kinds.length], Float32Array.from(powers, (power) => power / sum))
  })
  return {
    probabilities,
    classify: (payload: { readonly text: string }) => Effect.map(probabilities(payload), mostLikely)
  }
}

/** The kind with the highest probability. */
export const mostLikely = ({ data }: Tensor.Tensor<"float32", 1>): typeof Label.Type => {
  const confidence = Math.max(...data)
  return { kind: kinds[data.indexOf(confidence)] ?? "question", confidence }
}

const occurrences = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0

export const KeywordsLive = Keywords.toLayer(classifier((text) => [
  2 * occurrences(text, /broken|late|refund|worst/gi),
  2 * occurrences(text, /thanks|love|great|best/gi),
  2 * occurrences(text, /how|when|where|why/gi)
]))

export const PunctuationLive = Punctuation.toLayer(classifier((text) => [
  occurrences(text, /!{2,}/g),
  occurrences(text, /[^!]!(?!!)/g),
  2 * occurrences(text, /\?/g)
]))

export const CapitalsLive = Capitals.toLayer(classifier((text) => {
  const shouting = occurrences(text, /\p{Lu}{3,}/gu)
  return [shouting, 0.1, shouting > 0 ? 0 : 0.2]
}))

export const Classifiers = Layer.mergeAll(KeywordsLive, PunctuationLive, CapitalsLive)

export const messages = [
  "Where is my parcel?",
  "It arrived BROKEN, I want a refund!!",
  "Great service, thanks!",
  "why is it late again??"
] as const
