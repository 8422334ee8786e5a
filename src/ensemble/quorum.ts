/**
 * The answer that enough members give, as soon as they have given it.
 *
 * @since 0.2.0
 */
import { Effect, Equal, type Equivalence, Result } from "effect"
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

/**
 * How many members must agree, and when two do.
 *
 * @category models
 * @since 0.2.0
 */
export interface QuorumOptions<A> {
  /** From one to the number of members; anything else is a defect. */
  readonly count: number
  /** Whether two answers are the same; by default `Equal.equals`, which compares plain values by their content. */
  readonly equivalence?: Equivalence.Equivalence<A> | undefined
}

/**
 * Runs all members at once and ends as soon as `count` of them agree, or cannot any more; the rest is interrupted.
 *
 * A member that fails agrees with nobody; a defect ends the ensemble. With an equivalence that is no true equality,
 * such as one with a tolerance, an answer joins the earliest answer that it is equivalent to.
 *
 * **Example** (Two of three, whichever are fastest)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const north: Effect.Effect<string>
 * declare const south: Effect.Effect<string>
 * declare const west: Effect.Effect<string>
 *
 * export const agreed = Ensemble.quorum({ north, south, west }, { count: 2 })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const quorum = <M extends Members>(
  members: NonEmpty<M>,
  options: QuorumOptions<Success<M>>
): Effect.Effect<Agreement<Success<M>, Name<M>>, NoQuorum<Outcomes<M>>, Services<M>> =>
  Effect.suspend(() => {
    const list = names<M>(members)
    const { count, equivalence = Equal.asEquivalence<Success<M>>() } = options
    checkCount("count", count, list.length)
    const results = new Array<Result.Result<Success<M>, Error<M>> | undefined>(list.length)
    const groups: Array<Group<Success<M>, Name<M>>> = []
    let largest = 0
    let running = list.length
    const fail = () => Effect.fail(noQuorum(count, list, results))
    return decideByResult(effects<M>(members), {
      onResult: (result, index): Effect.Effect<Agreement<Success<M>, Name<M>>, NoQuorum<Outcomes<M>>> | undefined => {
        results[index] = result
        running--
        if (Result.isSuccess(result)) {
          const group = join(groups, { index, name: list[index]!, value: result.success }, equivalence)
          if (group.length === count) return Effect.succeed(agreement(group))
          largest = Math.max(largest, group.length)
        }
        return largest + running < count ? fail() : undefined
      },
      atEnd: fail
    })
  })
