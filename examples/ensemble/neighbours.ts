/** The nearest neighbours: nothing is learnt, and every known picture is looked at. */
import { Effect } from "effect"
import { Neighbours, type Picture } from "./contracts.ts"
import { type Example, training } from "./pictures.ts"

const neighbours = 5

export const NeighboursLive = Neighbours.toLayer(Effect.sync(() => {
  const known = training()
  return { classify: ({ picture }) => Effect.sync(() => mostFrequent(nearest(known, picture))) }
}))

/** The digits of the most similar pictures, the most similar one first. */
const nearest = (known: ReadonlyArray<Example>, picture: Picture): ReadonlyArray<number> =>
  known.map((example) => ({ digit: example.digit, distance: distance(example.picture.data, picture.data) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, neighbours)
    .map(({ digit }) => digit)

const distance = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let index = 0; index < a.length; index++) sum += (a[index]! - b[index]!) ** 2
  return sum
}

/** The digit that is there most often; of several, that of the most similar picture. */
const mostFrequent = (digits: ReadonlyArray<number>): number => {
  const counts = digits.map((digit) => digits.filter((other) => other === digit).length)
  return digits[counts.indexOf(Math.max(...counts))]!
}
