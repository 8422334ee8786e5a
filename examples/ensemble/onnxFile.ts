/** Writes a network with one hidden layer in the format of ONNX, which is a protobuf message. */

export interface Layer {
  readonly inputs: number
  readonly outputs: number
  /** One row for each input. */
  readonly weights: Float32Array
  readonly biases: Float32Array
}

/** `scores` is `pixels` through a hidden layer with ReLU and an output layer. */
export const twoLayers = (hidden: Layer, output: Layer): Uint8Array =>
  message([1, 9], [2, "chorale"], [8, message([1, ""], [2, 17])], [
    7,
    message(
      [1, node("Gemm", ["pixels", "hidden.weights", "hidden.biases"], "sums")],
      [1, node("Relu", ["sums"], "hidden")],
      [1, node("Gemm", ["hidden", "output.weights", "output.biases"], "scores")],
      [2, "digits"],
      [5, constant("hidden.weights", [hidden.inputs, hidden.outputs], hidden.weights)],
      [5, constant("hidden.biases", [hidden.outputs], hidden.biases)],
      [5, constant("output.weights", [output.inputs, output.outputs], output.weights)],
      [5, constant("output.biases", [output.outputs], output.biases)],
      [11, value("pixels", ["batch", hidden.inputs])],
      [12, value("scores", ["batch", output.outputs])]
    )
  ])

const float = 1

const node = (type: string, inputs: ReadonlyArray<string>, output: string): Uint8Array =>
  message(...inputs.map((name): Field => [1, name]), [2, output], [4, type])

const constant = (name: string, shape: ReadonlyArray<number>, data: Float32Array): Uint8Array =>
  message(
    ...shape.map((size): Field => [1, size]),
    [2, float],
    [8, name],
    [9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]
  )

const value = (name: string, shape: ReadonlyArray<number | string>): Uint8Array => {
  const dimensions = shape.map((size): Field => [1, message([typeof size === "number" ? 1 : 2, size])])
  return message([1, name], [2, message([1, message([1, float], [2, message(...dimensions)])])])
}

type Field = readonly [number: number, value: number | string | Uint8Array]

/** A number is a varint, and everything else has its length before it. */
const message = (...fields: ReadonlyArray<Field>): Uint8Array =>
  Buffer.concat(fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [Buffer.from([...varint(number * 8), ...varint(value)])]
    const bytes = Buffer.from(value)
    return [Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]
  }))

const varint = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
