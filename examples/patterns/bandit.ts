/**
 * Traffic that goes to the better of two models by itself.
 *
 * Seldon: a router with an epsilon-greedy multi-armed bandit, which learns from the feedback that clients send. Here
 * the weights of a split follow the mean reward of each arm: mostly the best one, and the others at times.
 */
import { Ensemble } from "chorale"
import { Console, Effect, Random, Ref } from "effect"

/** A model that satisfies this part of its users. */
const model = (satisfied: number) => Effect.map(Random.next, (drawn) => drawn < satisfied)

const models = { red: model(0.4), blue: model(0.6) }

type Arm = keyof typeof models

interface Arms {
  readonly red: { readonly calls: number; readonly liked: number }
  readonly blue: { readonly calls: number; readonly liked: number }
}

const epsilon = 0.1

const mean = ({ calls, liked }: Arms[Arm]) => calls === 0 ? 1 : liked / calls

const weights = (arms: Arms) =>
  mean(arms.red) >= mean(arms.blue)
    ? { red: 1 - epsilon / 2, blue: epsilon / 2 }
    : { red: epsilon / 2, blue: 1 - epsilon / 2 }

const call = Effect.fn("call")(function*(arms: Ref.Ref<Arms>) {
  const weighed = weights(yield* Ref.get(arms))
  const { arm, liked } = yield* Ensemble.split({
    red: Effect.map(models.red, (liked) => ({ arm: "red" as const, liked })),
    blue: Effect.map(models.blue, (liked) => ({ arm: "blue" as const, liked }))
  }, { weights: weighed })
  yield* Ref.update(arms, (before) => ({
    ...before,
    [arm]: { calls: before[arm].calls + 1, liked: before[arm].liked + Number(liked) }
  }))
})

export const program = Effect.gen(function*() {
  const arms = yield* Ref.make<Arms>({ red: { calls: 0, liked: 0 }, blue: { calls: 0, liked: 0 } })
  yield* Effect.replicateEffect(call(arms), 2000, { discard: true })
  const { blue, red } = yield* Ref.get(arms)
  yield* Console.log(`red: ${red.calls} calls, blue: ${blue.calls} calls`)
  const liked = (red.liked + blue.liked) / (red.calls + blue.calls)
  yield* Console.log(`${Math.round(liked * 100)} % were liked; the better model alone has 60 %`)
}).pipe(Random.withSeed("bandit"))

if (import.meta.main) await Effect.runPromise(program)
