/**
 * The answer that most members give, or those that count most.
 *
 * @since 0.2.0
 */
import { type Array as Arr, Effect, Equal, type Equivalence, Result } from "effect"
import { type Agreement, agreement, checkCount, type Group, join, type NoQuorum, noQuorum } from "./agreement.ts"
import { decideByResult } from "./decide.ts"
import {
  effects,
  type Error,
  type Members,
  type Name,
  names,
  type NonEmpty,
  type Outcomes,
  type Services,
  type Success
} from "./members.ts"
import { total, type Weights } from "./weights.ts"

/**
 * An answer, the members that voted for it, and how much they are of all.
 *
 * @category models
 * @since 0.2.0
 */
export interface Vote<A, Name extends string> extends Agreement<A, Name> {
  /** The weight of these members as a part of the weight of all members, those that failed included. */
  readonly support: number
}

/**
 * How votes are counted; everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface VoteOptions<M, E = never, R = never> {
  /** How much each member counts; by default all the same. */
  readonly weights?: Weights<M> | undefined
  /** Whether two answers are the same; by default `Equal.equals`, which compares plain values by their content. */
  readonly equivalence?: Equivalence.Equivalence<Success<M>> | undefined
  /**
   * How many members must answer, by default one; when so many have failed that they cannot, the rest is interrupted.
   */
  readonly minimum?: number | undefined
  /**
   * Decides between answers with the same weight, which are ordered by the place of their first member. By default the
   * first of them wins; this may ask another model instead, or fail.
   */
  readonly tie?:
    | ((
      tied: Arr.NonEmptyReadonlyArray<Vote<Success<M>, Name<M>>>
    ) => Effect.Effect<Vote<Success<M>, Name<M>>, E, R>)
    | undefined
}

/**
 * Runs all members at once, waits for all of them, and gives the answer with the most votes.
 *
 * That need not be more than half of them: `support` says how much it is. A member that fails does not vote; a defect
 * ends the ensemble. The result does not depend on who answers first. Sums of weights that differ by less than a part
 * in 10^9 are a tie. An answer that only members of weight zero have given does not win.
 *
 * **Example** (Three classifiers, one of which counts double)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const network: Effect.Effect<string>
 * declare const neighbours: Effect.Effect<string>
 * declare const bayes: Effect.Effect<string>
 *
 * export const label = Ensemble.vote({ network, neighbours, bayes }, {
 *   weights: { network: 2, neighbours: 1, bayes: 1 }
 * })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const vote = <M extends Members, E = never, R = never>(
  members: NonEmpty<M>,
  options: VoteOptions<M, E, R> = {}
): Effect.Effect<Vote<Success<M>, Name<M>>, NoQuorum<Outcomes<M>> | E, Services<M> | R> =>
  Effect.suspend(() => {
    type Answer = Effect.Effect<Vote<Success<M>, Name<M>>, NoQuorum<Outcomes<M>> | E, R>
    const list = names<M>(members)
    const { minimum = 1, tie } = options
    checkCount("minimum", minimum, list.length)
    const count = counter(list, options)
    const results = new Array<Result.Result<Success<M>, Error<M>> | undefined>(list.length)
    let failed = 0
    const fail = (): Answer => Effect.fail(noQuorum(minimum, list, results))
    return decideByResult(effects<M>(members), {
      onResult: (result, index): Answer | undefined => {
        results[index] = result
        if (Result.isFailure(result)) failed++
        return list.length - failed < minimum ? fail() : undefined
      },
      atEnd: (): Answer => {
        const [first, ...others] = count(results)
        if (first === undefined) return fail()
        return others.length === 0 || tie === undefined ? Effect.succeed(first) : tie([first, ...others])
      }
    })
  })

/** A function from what the members said to the answers with the highest weight. */
const counter = <M>(
  names: ReadonlyArray<Name<M>>,
  { equivalence = Equal.asEquivalence<Success<M>>(), weights }: VoteOptions<M, unknown, unknown>
) => {
  const sum = weights === undefined ? names.length : total(names, weights)
  const weightOf = (name: Name<M>) => weights === undefined ? 1 : weights[name]
  return (results: ReadonlyArray<Result.Result<Success<M>, unknown> | undefined>) => {
    const groups: Array<Group<Success<M>, Name<M>>> = []
    for (const [index, name] of names.entries()) {
      const result = results[index]
      if (result !== undefined && Result.isSuccess(result)) {
        join(groups, { index, name, value: result.success }, equivalence)
      }
    }
    const votes = groups.map((group) => ({
      ...agreement(group),
      support: group.reduce((weight, { name }) => weight + weightOf(name), 0) / sum
    }))
    const most = Math.max(...votes.map(({ support }) => support))
    return votes.filter(({ support }) => support > 0 && support >= most * (1 - 1e-9))
  }
}
