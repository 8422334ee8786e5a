/**
 * Traffic in parts, as for a test of two models.
 *
 * @since 0.2.0
 */
import { Effect, Random } from "effect"
import {
  effects,
  type Error,
  type Members,
  type Name,
  names,
  type NonEmpty,
  type Services,
  type Success
} from "./members.ts"
import { total, type Weights } from "./weights.ts"

/**
 * How much goes where.
 *
 * @category models
 * @since 0.2.0
 */
export interface SplitOptions<M> {
  /** How much of the traffic each member gets; at least zero and not all zero, and only the proportions matter. */
  readonly weights: Weights<M>
  /** The same key always goes to the same member, such as the id of a user; without one it is left to chance. */
  readonly key?: string | undefined
  /** Splits with different names are independent: those who get the candidate here need not get it there. */
  readonly name?: string | undefined
}

/**
 * Runs one of the members, chosen by weight.
 *
 * Where there is a key the choice depends on it, on the name of the split and on the weights alone, in every process
 * and version. When weights change or a member is added, only keys move whose member lost weight or that go to one that
 * gained (weighted rendezvous hashing; Schindelhauer and Schomaker, 2005). Without a key the choice is made by Effect's
 * `Random`. The name of the chosen member is the attribute `ensemble.member` of the present span.
 *
 * **Example** (A tenth of the users get the candidate)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const stable: Effect.Effect<string>
 * declare const candidate: Effect.Effect<string>
 *
 * export const answer = (user: string) =>
 *   Ensemble.split({ stable, candidate }, { weights: { stable: 0.9, candidate: 0.1 }, key: user })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const split = <M extends Members>(
  members: NonEmpty<M>,
  { key, name = "", weights }: SplitOptions<M>
): Effect.Effect<Success<M>, Error<M>, Services<M>> =>
  Effect.withFiber((fiber) => {
    const list = names<M>(members)
    const sum = total(list, weights)
    const chosen = key === undefined
      ? drawn(list, weights, fiber.getRef(Random.Random).nextDoubleUnsafe() * sum)
      : hashed(list, weights, `${name}\0${key}`)
    return Effect.andThen(
      Effect.annotateCurrentSpan("ensemble.member", chosen),
      effects<M>(members)[list.indexOf(chosen)]!
    )
  })

/** The member in whose part of the sum of all weights the point lies. */
const drawn = <M>(names: ReadonlyArray<Name<M>>, weights: Weights<M>, point: number): Name<M> => {
  let left = point
  const weighty = names.filter((name) => weights[name] > 0)
  return weighty.find((name) => (left -= weights[name]) < 0) ?? weighty.at(-1)!
}

/**
 * The member with the highest score, where a score is drawn for key and member with the member's weight as its rate.
 */
const hashed = <M>(names: ReadonlyArray<Name<M>>, weights: Weights<M>, key: string): Name<M> => {
  const score = (name: Name<M>) => -weights[name] / Math.log(uniform(`${key}\0${name}`))
  return names.reduce((best, name) => score(name) > score(best) ? name : best)
}

/**
 * A number between zero and one, both excluded, from a text: the 53 bits of cyrb53, a hash in the public domain.
 *
 * It must never change: it decides who gets which member.
 */
const uniform = (text: string): number => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return ((b & 0x1fffff) * 0x100000000 + (a >>> 0) + 0.5) / 2 ** 53
}
