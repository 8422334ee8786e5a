/**
 * A record of effects, and what is known of their results by name.
 *
 * @since 0.2.0
 */
import type { Effect, Exit, Result } from "effect"

/**
 * The members of an ensemble: effects by name.
 *
 * They are listed in the order of the keys of the record, where JavaScript puts keys such as `"1"` first.
 *
 * @category models
 * @since 0.2.0
 */
export type Members<A = unknown> = Readonly<Record<string, Effect.Effect<A, unknown, unknown>>>

/**
 * Members of which there is at least one; an empty record does not compile.
 *
 * @category utility types
 * @since 0.2.0
 */
export type NonEmpty<M> = M & ([keyof M] extends [never] ? "an ensemble needs at least one member" : unknown)

/**
 * The names of the members.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Name<M> = keyof M & string

/**
 * What any of the members may answer.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Success<M> = Effect.Success<M[keyof M]>

/**
 * What any of the members may fail with.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Error<M> = Effect.Error<M[keyof M]>

/**
 * The services that the members need.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Services<M> = Effect.Services<M[keyof M]>

/**
 * The answer of every member, by name.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Answers<M> = { readonly [N in keyof M]: Effect.Success<M[N]> }

/**
 * The error of every member, by name.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Errors<M> = { readonly [N in keyof M]: Effect.Error<M[N]> }

/**
 * How every member ended, by name, defects and interruption included.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Exits<M> = { readonly [N in keyof M]: Exit.Exit<Effect.Success<M[N]>, Effect.Error<M[N]>> }

/**
 * The answers and errors that were there when an ensemble ended; a member that was still running has none.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Outcomes<M> = { readonly [N in keyof M]?: Result.Result<Effect.Success<M[N]>, Effect.Error<M[N]>> }

/** The names of the members in their order; that there is none is a bug, which the type of a record may hide. */
export const names = <M extends Members>(members: M): ReadonlyArray<Name<M>> => {
  // `Object.keys` gives the keys of `M` that are strings.
  const names = Object.keys(members) as Array<Name<M>>
  if (names.length === 0) throw new RangeError("an ensemble needs at least one member")
  return names
}

/** The members in their order; here the relation between a name and its types is given up. */
export const effects = <M extends Members>(
  members: M
): ReadonlyArray<Effect.Effect<Success<M>, Error<M>, Services<M>>> =>
  // `Object.values` gives values of type `M[keyof M]`, of which these are the parts.
  Object.values(members) as ReadonlyArray<Effect.Effect<Success<M>, Error<M>, Services<M>>>

/** A record like the members, with a value for each in their order. */
export const byName = <ByName>(members: Members, values: ReadonlyArray<unknown>): ByName => {
  // A copy has the right keys at once; to add them one by one costs ten times as much where there are hundreds.
  const record: Record<string, unknown> = { ...members }
  let index = 0
  for (const name of Object.keys(members)) record[name] = values[index++]
  // The value at an index is that of the member at the index, which a list cannot say of each one's type.
  return record as ByName
}
