/**
 * A larger model where a smaller one is not sure.
 *
 * @since 0.2.0
 */
import { Effect } from "effect"
import { effects, type Error, type Members, names, type NonEmpty, type Services, type Success } from "./members.ts"

/**
 * When an answer is good enough.
 *
 * @category models
 * @since 0.2.0
 */
export interface CascadeOptions<A> {
  /** How sure the model is of its answer. */
  readonly confidence: (answer: A) => number
  /** The confidence from which on no further model is asked. */
  readonly atLeast: number
}

/**
 * Asks the models one after another, in the order in which they are listed, until one is sure enough of its answer.
 *
 * List the cheapest first. The answer of the last one counts, however sure it is. A model that fails ends the cascade;
 * put `fallback` around it where the next should take over. The name of the one that answered is the attribute
 * `ensemble.member` of the present span.
 *
 * **Example** (The large model only for the hard cases)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * interface Label {
 *   readonly name: string
 *   readonly confidence: number
 * }
 * declare const small: Effect.Effect<Label>
 * declare const large: Effect.Effect<Label>
 *
 * export const label = Ensemble.cascade({ small, large }, {
 *   confidence: (label) => label.confidence,
 *   atLeast: 0.9
 * })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const cascade = <M extends Members>(
  members: NonEmpty<M>,
  { atLeast, confidence }: CascadeOptions<Success<M>>
): Effect.Effect<Success<M>, Error<M>, Services<M>> =>
  Effect.suspend(() => {
    const list = names<M>(members)
    const models = effects<M>(members)
    const ask = (index: number): Effect.Effect<Success<M>, Error<M>, Services<M>> => {
      return Effect.flatMap(models[index]!, (answer) =>
        index + 1 < list.length && !(confidence(answer) >= atLeast)
          ? ask(index + 1)
          : Effect.as(Effect.annotateCurrentSpan("ensemble.member", list[index]), answer))
    }
    return ask(0)
  })
