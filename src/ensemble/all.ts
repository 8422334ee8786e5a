/**
 * Ensembles that wait for every member.
 *
 * @since 0.2.0
 */
import { Effect, Exit } from "effect"
import { decide } from "./decide.ts"
import {
  type Answers,
  byName,
  effects,
  type Error,
  type Exits,
  type Members,
  type Services,
  type Success
} from "./members.ts"

/**
 * Runs all members at once and gives their answers by name; the first failure interrupts the rest.
 *
 * A member that lives elsewhere is interrupted there too. The ensemble ends when the interrupted members have ended.
 *
 * **Example** (Two models on the same picture)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import { Effect } from "effect"
 *
 * declare const detect: Effect.Effect<ReadonlyArray<string>>
 * declare const caption: Effect.Effect<string>
 *
 * export const described = Ensemble.all({ objects: detect, caption }).pipe(
 *   Effect.map(({ caption, objects }) => `${caption} (${objects.join(", ")})`)
 * )
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const all = <M extends Members>(members: M): Effect.Effect<Answers<M>, Error<M>, Services<M>> =>
  Effect.suspend(() => {
    const list = effects(members)
    const answers = new Array<Success<M>>(list.length)
    return decide(list, {
      onExit: (exit, index): Effect.Effect<Answers<M>, Error<M>> | undefined => {
        if (Exit.isFailure(exit)) return Exit.failCause(exit.cause)
        answers[index] = exit.value
        return undefined
      },
      atEnd: () => Effect.succeed(byName<Answers<M>>(members, answers))
    })
  })

/**
 * Runs all members at once and gives how each one ended, by name; it never fails.
 *
 * A defect of a member is in its `Exit` like its errors, and concerns no other member. Where a defect should end the
 * ensemble and only errors should be kept, use `Effect.all` with `mode: "result"`.
 *
 * @category combinators
 * @since 0.2.0
 */
export const settled = <M extends Members>(members: M): Effect.Effect<Exits<M>, never, Services<M>> =>
  Effect.suspend(() => {
    const list = effects(members)
    const exits = new Array<Exit.Exit<Success<M>, Error<M>>>(list.length)
    return decide(list, {
      onExit: (exit, index): Effect.Effect<Exits<M>> | undefined => {
        exits[index] = exit
        return undefined
      },
      atEnd: () => Effect.succeed(byName<Exits<M>>(members, exits))
    })
  })

/**
 * Gives the answers of all members to a final model, which answers for the ensemble.
 *
 * Members run as in `all`: the first failure interrupts the rest, and the final model is not asked.
 *
 * **Example** (A model that weighs what two others say)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const trees: Effect.Effect<number>
 * declare const network: Effect.Effect<number>
 * declare const judge: (scores: ReadonlyArray<number>) => Effect.Effect<number>
 *
 * export const score = Ensemble.stack({ trees, network }, ({ network, trees }) => judge([trees, network]))
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const stack = <M extends Members, B, E2, R2>(
  members: M,
  final: (answers: Answers<M>) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, Error<M> | E2, Services<M> | R2> => Effect.flatMap(all(members), final)
