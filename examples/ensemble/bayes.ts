/** Gaussian naive Bayes: the mean and the variance of each pixel for each digit. */
import { Effect } from "effect"
import { Bayes } from "./contracts.ts"
import { type Example, training } from "./pictures.ts"

export const BayesLive = Bayes.toLayer(Effect.sync(() => {
  const digits = Array.from(
    { length: 10 },
    (_, digit) => learn(training().filter((example) => example.digit === digit))
  )
  return {
    classify: ({ picture }) =>
      Effect.sync(() => {
        const scores = digits.map((statistics) => logLikelihood(statistics, picture.data))
        return scores.indexOf(Math.max(...scores))
      })
  }
}))

interface Statistics {
  readonly means: Float64Array
  readonly variances: Float64Array
}

const learn = (examples: ReadonlyArray<Example>): Statistics => {
  const means = new Float64Array(64)
  const variances = new Float64Array(64)
  for (let pixel = 0; pixel < 64; pixel++) {
    const values = examples.map(({ picture }) => picture.data[pixel]!)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    means[pixel] = mean
    variances[pixel] = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  }
  return { means, variances }
}

const logLikelihood = ({ means, variances }: Statistics, pixels: Float32Array): number =>
  pixels.reduce(
    (sum, value, pixel) =>
      sum - Math.log(variances[pixel]!) / 2 - (value - means[pixel]!) ** 2 / (2 * variances[pixel]!),
    0
  )
