/**
 * The first answer, whoever gives it.
 *
 * @since 0.2.0
 */
import { Effect, Result, Schema } from "effect"
import { decideByResult } from "./decide.ts"
import {
  byName,
  effects,
  type Error,
  type Errors,
  type Members,
  names,
  type NonEmpty,
  type Services,
  type Success
} from "./members.ts"

/**
 * Every member failed; `errors` has the error of each, under its name.
 *
 * @category errors
 * @since 0.2.0
 */
export class AllFailed<out E = unknown> extends Schema.TaggedError<AllFailed>()("AllFailed", {
  errors: Schema.Unknown
}) {
  declare readonly errors: E

  override get message(): string {
    return "every member of the ensemble failed"
  }
}

/**
 * What `first` fails with: nothing when one of the members cannot fail.
 *
 * @category utility types
 * @since 0.2.0
 */
export type FirstError<M> = true extends
  { [N in keyof M]: [Effect.Error<M[N]>] extends [never] ? true : false }[keyof M] ? never
  : AllFailed<Errors<M>>

/**
 * Runs all members at once and gives the first answer; the others are interrupted.
 *
 * A member that fails is out of the race; when all have failed, their errors are given by name. A defect ends the
 * ensemble. Members that answer without waiting leave those listed after them unstarted. The name of the winner is the
 * attribute `ensemble.member` of the present span.
 *
 * **Example** (The same model in two places)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const near: Effect.Effect<string, Error>
 * declare const far: Effect.Effect<string, Error>
 *
 * export const answer = Ensemble.first({ near, far })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const first = <M extends Members>(
  members: NonEmpty<M>
): Effect.Effect<Success<M>, FirstError<M>, Services<M>> =>
  Effect.suspend(() => {
    const list = names<M>(members)
    const errors = new Array<Error<M>>(list.length)
    return decideByResult(effects<M>(members), {
      onResult: (result, index) => {
        if (Result.isSuccess(result)) {
          return Effect.as(Effect.annotateCurrentSpan("ensemble.member", list[index]), result.success)
        }
        errors[index] = result.failure
        return undefined
      },
      // A member that cannot fail answers, and then this is not reached: that is the type `FirstError` states.
      atEnd: () => Effect.fail(new AllFailed({ errors: byName<Errors<M>>(members, errors) }) as FirstError<M>)
    })
  })
