/**
 * The mean of what members answer.
 *
 * @since 0.2.0
 */
import { Effect, Schema } from "effect"
import * as Tensor from "../Tensor.ts"
import { all } from "./all.ts"
import { type Error, type Members, names, type NonEmpty, type Services, type Success } from "./members.ts"
import { total, type Weights } from "./weights.ts"

/**
 * The tensors that have a mean: those of floating-point numbers that JavaScript can compute with.
 *
 * @category models
 * @since 0.2.0
 */
export type FloatTensor = Tensor.Tensor<"float32" | "float64">

/**
 * A member answered with a tensor of another dtype or shape than the member that is listed first.
 *
 * @category errors
 * @since 0.2.0
 */
export class TensorMismatch extends Schema.TaggedError<TensorMismatch>()("TensorMismatch", {
  member: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `${this.member} answered with ${this.actual}, and the member listed first with ${this.expected}`
  }
}

/**
 * Runs all members at once and gives the mean of their numbers, or of their tensors element by element.
 *
 * Members run as in `all`: the first failure interrupts the rest. Sums are kept in double precision. A tensor that
 * differs in dtype or shape from that of the member listed first is a `TensorMismatch`.
 *
 * **Example** (The mean of the probabilities of two classifiers)
 *
 * ```ts
 * import { Ensemble, type Tensor } from "chorale"
 * import type { Effect } from "effect"
 *
 * declare const small: Effect.Effect<Tensor.Tensor<"float32", 1>>
 * declare const large: Effect.Effect<Tensor.Tensor<"float32", 1>>
 *
 * export const probabilities = Ensemble.mean({ small, large })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const mean: {
  <M extends Members<number>>(members: NonEmpty<M>): Effect.Effect<number, Error<M>, Services<M>>
  <M extends Members<FloatTensor>>(
    members: NonEmpty<M>
  ): Effect.Effect<Success<M>, Error<M> | TensorMismatch, Services<M>>
} = <M extends Members<number | FloatTensor>>(members: NonEmpty<M>) => meanOf<M>(members, undefined)

/**
 * Runs all members at once and gives the mean of their numbers or tensors, each with the weight of its member.
 *
 * Weights are at least zero and not all zero, and anything else is a defect; only their proportions matter. A member of
 * weight zero must answer, and its answer does not count. The rest is as for `mean`.
 *
 * @category combinators
 * @since 0.2.0
 */
export const weightedMean: {
  <M extends Members<number>>(
    members: NonEmpty<M>,
    weights: Weights<M>
  ): Effect.Effect<number, Error<M>, Services<M>>
  <M extends Members<FloatTensor>>(
    members: NonEmpty<M>,
    weights: Weights<M>
  ): Effect.Effect<Success<M>, Error<M> | TensorMismatch, Services<M>>
} = <M extends Members<number | FloatTensor>>(members: NonEmpty<M>, weights: Weights<M>) => meanOf<M>(members, weights)

const meanOf = <M extends Members<number | FloatTensor>>(members: M, weights: Weights<M> | undefined) =>
  Effect.suspend(() => {
    const list = names(members)
    if (weights !== undefined) total(list, weights)
    const factors = list.map((name) => weights === undefined ? 1 : weights[name])
    const mean = Effect.flatMap(all(members), (answers) => combine(list, Object.values(answers), factors))
    // Which of the two it is follows from the overload, as does that numbers have no mismatch.
    return mean as Effect.Effect<never, never, Services<M>>
  })

const combine = (
  names: ReadonlyArray<string>,
  answers: ReadonlyArray<number | FloatTensor>,
  factors: ReadonlyArray<number>
): Effect.Effect<number | FloatTensor, TensorMismatch> => {
  const sum = factors.reduce((sum, factor) => sum + factor, 0)
  const first = answers[0]
  if (first === undefined || typeof first === "number") {
    return Effect.succeed(
      answers.reduce<number>((sum, answer, index) => sum + times(Number(answer), factors[index]!), 0) / sum
    )
  }
  const expected = Tensor.describe(first.dtype, first.shape)
  const sums = new Float64Array(first.data.length)
  for (const [index, answer] of answers.entries()) {
    const actual = typeof answer === "number" ? "a number" : Tensor.describe(answer.dtype, answer.shape)
    if (typeof answer === "number" || actual !== expected) {
      return Effect.fail(new TensorMismatch({ member: names[index]!, expected, actual }))
    }
    add(sums, answer.data, factors[index]!)
  }
  const mean: FloatTensor = Tensor.zeros(first.dtype, first.shape)
  for (let index = 0; index < sums.length; index++) mean.data[index] = sums[index]! / sum
  return Effect.succeed(mean)
}

const add = (sums: Float64Array, data: Float32Array | Float64Array, factor: number): void => {
  if (factor === 0) return
  for (let index = 0; index < sums.length; index++) sums[index]! += data[index]! * factor
}

/** What weighs nothing adds nothing, also where it is NaN or Infinity. */
const times = (value: number, factor: number): number => factor === 0 ? 0 : value * factor
