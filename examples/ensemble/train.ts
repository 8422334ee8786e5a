/** Learns the weights of the network and writes network.onnx beside this file; takes about a second. */
import { Console, Effect } from "effect"
import { writeFile } from "node:fs/promises"
import { type Layer, twoLayers } from "./onnxFile.ts"
import { type Example, normal, training, uniform } from "./pictures.ts"

const hiddenUnits = 32
const epochs = 40

/** A layer with small random weights; `data` is theirs to change. */
const layer = (inputs: number, outputs: number, random: () => number): Layer => ({
  inputs,
  outputs,
  weights: Float32Array.from({ length: inputs * outputs }, () => normal(random) * Math.sqrt(2 / inputs)),
  biases: new Float32Array(outputs)
})

const forward = ({ biases, inputs, outputs, weights }: Layer, input: Float32Array): Float32Array => {
  const sums = Float32Array.from(biases)
  for (let from = 0; from < inputs; from++) {
    for (let to = 0; to < outputs; to++) sums[to]! += input[from]! * weights[from * outputs + to]!
  }
  return sums
}

/** Changes the layer against the gradient of its outputs, and gives the gradient of its inputs. */
const backward = (
  { biases, inputs, outputs, weights }: Layer,
  input: Float32Array,
  gradient: Float32Array,
  rate: number
): Float32Array => {
  const before = new Float32Array(inputs)
  for (let from = 0; from < inputs; from++) {
    for (let to = 0; to < outputs; to++) {
      const index = from * outputs + to
      before[from]! += weights[index]! * gradient[to]!
      weights[index]! -= rate * input[from]! * gradient[to]!
    }
  }
  for (let to = 0; to < outputs; to++) biases[to]! -= rate * gradient[to]!
  return before
}

const softmax = (scores: Float32Array): Float32Array => {
  const highest = Math.max(...scores)
  const powers = scores.map((score) => Math.exp(score - highest))
  const sum = powers.reduce((sum, power) => sum + power, 0)
  return powers.map((power) => power / sum)
}

/** One step of gradient descent on the cross-entropy of one example. */
const step = (hidden: Layer, output: Layer, { digit, picture }: Example, rate: number): void => {
  const sums = forward(hidden, picture.data)
  const active = sums.map((sum) => Math.max(0, sum))
  const gradient = softmax(forward(output, active))
  gradient[digit]! -= 1
  const hiddenGradient = backward(output, active, gradient, rate)
  backward(hidden, picture.data, hiddenGradient.map((value, unit) => sums[unit]! > 0 ? value : 0), rate)
}

export const train = (): Uint8Array => {
  const random = uniform(4)
  const hidden = layer(64, hiddenUnits, random)
  const output = layer(hiddenUnits, 10, random)
  const examples = training()
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 0.02 * (1 - epoch / epochs)
    for (const example of examples) step(hidden, output, example, rate)
  }
  return twoLayers(hidden, output)
}

if (import.meta.main) {
  await Effect.runPromise(Effect.gen(function*() {
    const bytes = train()
    yield* Effect.promise(() => writeFile(new URL("./network.onnx", import.meta.url), bytes))
    yield* Console.log(`network.onnx has ${bytes.length} bytes`)
  }))
}
