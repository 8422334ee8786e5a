/**
 * How much each member counts.
 *
 * @since 0.2.0
 */
import type { Name } from "./members.ts"

/**
 * How much each member counts, at least zero; only the proportions matter.
 *
 * @category models
 * @since 0.2.0
 */
export type Weights<M> = Readonly<Record<Name<M>, number>>

/** The sum of the weights of the members; weights that are missing, negative, not finite or all zero are a bug. */
export const total = <M>(names: ReadonlyArray<Name<M>>, weights: Weights<M>): number => {
  let sum = 0
  for (const name of names) {
    const weight = weights[name]
    if (!(weight >= 0 && weight < Infinity)) {
      throw new RangeError(`the weight of ${name} is ${weight}, and not a number from zero up`)
    }
    sum += weight
  }
  if (sum === 0) throw new RangeError("an ensemble needs a weight above zero")
  if (sum === Infinity) throw new RangeError("the weights are too large to be added up")
  return sum
}
