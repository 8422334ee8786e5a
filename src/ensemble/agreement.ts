/**
 * Answers that are the same, and the members that gave them.
 *
 * @since 0.2.0
 */
import { type Array, type Equivalence, type Result, Schema } from "effect"
import type { Name, Outcomes, Success } from "./members.ts"

/**
 * An answer, and the names of the members that gave it, as they are listed.
 *
 * `value` is the answer of the first of them, which matters where answers are only equivalent and not the same.
 *
 * @category models
 * @since 0.2.0
 */
export interface Agreement<A, Name extends string> {
  readonly value: A
  readonly members: Array.NonEmptyReadonlyArray<Name>
}

/**
 * Fewer members than needed answered, or gave the same answer.
 *
 * `outcomes` has what each member had said by then, under its name; those that had not ended were interrupted.
 *
 * @category errors
 * @since 0.2.0
 */
export class NoQuorum<out O = unknown> extends Schema.TaggedError<NoQuorum>()("NoQuorum", {
  needed: Schema.Int,
  outcomes: Schema.Unknown
}) {
  declare readonly outcomes: O

  override get message(): string {
    return `the ensemble needs ${this.needed} of its members, and cannot have so many any more`
  }
}

/** An answer and who gave it. */
export interface Ballot<A, N extends string> {
  readonly index: number
  readonly name: N
  readonly value: A
}

/** Ballots with the same answer. */
export type Group<A, N extends string> = [Ballot<A, N>, ...Array<Ballot<A, N>>]

/** Puts a ballot to the group whose first answer it is equivalent to, or makes a group of it. */
export const join = <A, N extends string>(
  groups: Array<Group<A, N>>,
  ballot: Ballot<A, N>,
  equivalence: Equivalence.Equivalence<A>
): Group<A, N> => {
  const same = groups.find(([first]) => equivalence(first.value, ballot.value))
  if (same !== undefined) {
    same.push(ballot)
    return same
  }
  const group: Group<A, N> = [ballot]
  groups.push(group)
  return group
}

/** What the members of a group agree on. */
export const agreement = <A, N extends string>(group: Group<A, N>): Agreement<A, N> => {
  group.sort((a, b) => a.index - b.index)
  const [first, ...others] = group
  return { value: first.value, members: [first.name, ...others.map(({ name }) => name)] }
}

/** The error of members that cannot agree any more; a member without a result is left out. */
export const noQuorum = <M>(
  needed: number,
  names: ReadonlyArray<Name<M>>,
  results: ReadonlyArray<Result.Result<Success<M>, unknown> | undefined>
): NoQuorum<Outcomes<M>> => {
  const outcomes: Record<string, unknown> = {}
  for (const [index, name] of names.entries()) {
    if (results[index] !== undefined) outcomes[name] = results[index]
  }
  // Each result is that of the member of the name.
  return new NoQuorum<Outcomes<M>>({ needed, outcomes: outcomes as Outcomes<M> })
}

/** A number of members that no ensemble of this size can have is a bug. */
export const checkCount = (option: string, count: number, size: number): void => {
  if (!Number.isInteger(count) || count < 1 || count > size) {
    throw new RangeError(`${option} is ${count}, and not a whole number from 1 to the ${size} members`)
  }
}
