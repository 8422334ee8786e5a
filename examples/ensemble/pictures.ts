/** Pictures of digits that are drawn here, with noise: the same ones in every run. */
import { Tensor } from "chorale"
import type { Picture } from "./contracts.ts"

export interface Example {
  readonly picture: Picture
  readonly digit: number
}

/** What the models learn from, what the weights of the vote come from, and what nothing has seen before the end. */
export const training = () => examples(1, 1000)
export const validation = () => examples(2, 300)
export const heldOut = () => examples(3, 1000)

const width = 8

/** Five by seven pixels each, one row a number of five bits. */
const glyphs: ReadonlyArray<ReadonlyArray<number>> = [
  [14, 17, 19, 21, 25, 17, 14],
  [4, 12, 4, 4, 4, 4, 14],
  [14, 17, 1, 2, 4, 8, 31],
  [31, 2, 4, 2, 1, 17, 14],
  [2, 6, 10, 18, 31, 2, 2],
  [31, 16, 30, 1, 1, 17, 14],
  [6, 8, 16, 30, 17, 17, 14],
  [31, 1, 2, 4, 8, 8, 8],
  [14, 17, 17, 14, 17, 17, 14],
  [14, 17, 17, 15, 1, 2, 12]
]

const noise = 0.5
const faded = 0.1

const examples = (seed: number, count: number): ReadonlyArray<Example> => {
  const random = uniform(seed)
  return Array.from({ length: count }, (_, index) => ({ digit: index % 10, picture: draw(index % 10, random) }))
}

/** A digit a little to the left or to the right, with ink that is missing here and there and noise everywhere. */
const draw = (digit: number, random: () => number): Picture => {
  const pixels = Float32Array.from({ length: width * width }, () => noise * normal(random))
  const left = 1 + Math.floor(random() * 2)
  for (const [row, bits] of glyphs[digit]!.entries()) {
    for (let column = 0; column < 5; column++) {
      const ink = (bits >> (4 - column)) & 1
      if (ink === 1 && random() >= faded) pixels[row * width + left + column]! += 1
    }
  }
  return Tensor.make("float32", [width, width], pixels)
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32, in the public domain). */
export const uniform = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A number of the standard normal distribution, nearly: the sum of twelve from 0 to 1. */
export const normal = (random: () => number): number => {
  let sum = -6
  for (let drawn = 0; drawn < 12; drawn++) sum += random()
  return sum
}
