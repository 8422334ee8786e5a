/** Compares three classifiers of different kinds with their vote, on pictures that none of them has seen. */
import { Resources } from "chorale"
import { Machine } from "chorale/node"
import { Console, Effect, Layer } from "effect"
import { BayesLive } from "./bayes.ts"
import { Bayes, Digits, Neighbours, Network } from "./contracts.ts"
import { accuracy, DigitsLive } from "./digits.ts"
import { NeighboursLive } from "./neighbours.ts"
import { NetworkLive } from "./network.ts"
import { heldOut } from "./pictures.ts"

/** How often each member and each vote is right on the held-out pictures. */
export const accuracies = Effect.gen(function*() {
  const network = yield* Network
  const neighbours = yield* Neighbours
  const bayes = yield* Bayes
  const digits = yield* Digits
  const examples = heldOut()
  return {
    network: yield* accuracy(examples, network.classify),
    neighbours: yield* accuracy(examples, neighbours.classify),
    bayes: yield* accuracy(examples, bayes.classify),
    majority: yield* accuracy(examples, (payload) => Effect.map(digits.majority(payload), ({ digit }) => digit)),
    weighted: yield* accuracy(examples, (payload) => Effect.map(digits.weighted(payload), ({ digit }) => digit))
  }
})

/** The three models and the ensemble of them in one process. */
export const AllInOne = DigitsLive.pipe(
  Layer.provideMerge(Layer.mergeAll(NetworkLive, NeighboursLive, BayesLive)),
  Layer.provide(Resources.layer([NetworkLive])),
  Layer.provide(Machine.layer)
)

export const program = Effect.gen(function*() {
  const parts = yield* accuracies
  yield* Console.log(`Right on ${heldOut().length} held-out pictures:`)
  for (const [name, part] of Object.entries(parts)) {
    yield* Console.log(`  ${name.padEnd(12)} ${(100 * part).toFixed(1)} %`)
  }
}).pipe(Effect.provide(AllInOne))

if (import.meta.main) await Effect.runPromise(program)
