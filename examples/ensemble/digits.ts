/** The ensemble: a vote of the three classifiers. */
import { Ensemble, ServiceError } from "chorale"
import { Effect } from "effect"
import { Bayes, Digits, Neighbours, Network, type Picture } from "./contracts.ts"
import { type Example, validation } from "./pictures.ts"

export const DigitsLive = Digits.toLayer(Effect.gen(function*() {
  const network = yield* Network
  const neighbours = yield* Neighbours
  const bayes = yield* Bayes
  const members = (payload: { readonly picture: Picture }) => ({
    network: network.classify(payload),
    neighbours: neighbours.classify(payload),
    bayes: bayes.classify(payload)
  })
  const examples = validation()
  const weights = yield* Ensemble.all({
    network: Effect.map(accuracy(examples, network.classify), weight),
    neighbours: Effect.map(accuracy(examples, neighbours.classify), weight),
    bayes: Effect.map(accuracy(examples, bayes.classify), weight)
  })
  return {
    majority: (payload) => read(Ensemble.vote(members(payload))),
    weighted: (payload) => read(Ensemble.vote(members(payload), { weights }))
  }
}))

/** A vote needs one answer; there is none only when no classifier can be reached. */
const read = (vote: Effect.Effect<Ensemble.Vote<number, string>, Ensemble.NoQuorum>) =>
  vote.pipe(
    Effect.map(({ support, value }) => ({ digit: value, support })),
    Effect.catchTag("NoQuorum", () => new ServiceError.Unavailable({ detail: "none of the classifiers answered" }))
  )

/** The part of the examples that a model gets right. */
export const accuracy = <E>(
  examples: ReadonlyArray<Example>,
  classify: (payload: { readonly picture: Picture }) => Effect.Effect<number, E>
): Effect.Effect<number, E> =>
  Effect.map(
    Effect.forEach(examples, ({ digit, picture }) => Effect.map(classify({ picture }), (said) => said === digit), {
      concurrency: 8
    }),
    (right) => right.filter(Boolean).length / right.length
  )

/** How much the vote of a model counts that is right so often: the logarithm of its odds, within reason. */
const weight = (accuracy: number): number => {
  const part = Math.min(0.999, Math.max(0.5, accuracy))
  return Math.log(part / (1 - part))
}
