/**
 * Another model where one has failed.
 *
 * @since 0.2.0
 */
import { Effect } from "effect"

/**
 * Effects that are tried in this order, at least one.
 *
 * @category models
 * @since 0.2.0
 */
export type Steps = readonly [AnyEffect, ...Array<AnyEffect>]

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

type Last<S extends Steps> = S extends readonly [...infer _, infer L] ? L : S[number]

/**
 * The errors that `fallback` may pass on to the next step: those of all steps but the last.
 *
 * @category utility types
 * @since 0.2.0
 */
export type StepError<S extends Steps> = S extends readonly [...infer Before, infer _] ? Effect.Error<Before[number]>
  : Effect.Error<S[number]>

/**
 * Tries each step only when the one before it failed; the errors of all but the last are gone from the type.
 *
 * With `when`, only those errors lead to the next step, and the others stay in the type. So a service that is down can
 * be replaced while an input that no model can read is reported at once. A defect is passed on and hides no bug.
 *
 * **Example** (A large model, a small one, and a rule that cannot fail)
 *
 * ```ts
 * import { Ensemble, type ServiceError } from "chorale"
 * import { Effect } from "effect"
 *
 * declare const large: Effect.Effect<string, ServiceError.ServiceError>
 * declare const small: Effect.Effect<string, ServiceError.ServiceError>
 *
 * export const label: Effect.Effect<string> = Ensemble.fallback([large, small, Effect.succeed("unknown")])
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const fallback: {
  <const S extends Steps>(
    steps: S
  ): Effect.Effect<Effect.Success<S[number]>, Effect.Error<Last<S>>, Effect.Services<S[number]>>
  <const S extends Steps, Handled extends StepError<S>>(
    steps: S,
    when: (error: StepError<S>) => error is Handled
  ): Effect.Effect<
    Effect.Success<S[number]>,
    Exclude<StepError<S>, Handled> | Effect.Error<Last<S>>,
    Effect.Services<S[number]>
  >
} = ([first, ...others]: Steps, when: (error: never) => boolean = () => true) =>
  // The type of an error that `when` lets through is lost in the loop; the overloads state it.
  others.reduce(
    (before, step) => Effect.catchIf(before, when as (error: unknown) => boolean, () => step),
    first
  ) as Effect.Effect<never, never, never>
