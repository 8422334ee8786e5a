/** A multilayer perceptron with random weights, written as an ONNX file: protobuf by hand, which is quickly done. */

type Field = readonly [number: number, value: number | string | Uint8Array]

const varint = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]

/** A message; a number is a varint, and everything else is length-delimited. */
const message = (...fields: ReadonlyArray<Field>): Uint8Array =>
  Buffer.concat(fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [Buffer.from([...varint(number * 8), ...varint(value)])]
    const bytes = Buffer.from(value)
    return [Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]
  }))

const float = 1

const node = (type: string, inputs: ReadonlyArray<string>, output: string) =>
  message(...inputs.map((name): Field => [1, name]), [2, output], [4, type])

const weights = (name: string, width: number, scale: number) => {
  const data = Float32Array.from({ length: width * width }, () => (Math.random() - 0.5) * scale)
  return message([1, width], [1, width], [2, float], [8, name], [9, new Uint8Array(data.buffer)])
}

const matrix = (name: string, width: number) => {
  const shape = message([1, message([2, "batch"])], [1, message([1, width])])
  return message([1, name], [2, message([1, message([1, float], [2, shape])])])
}

/** `y` is float32[batch, width], from an `x` of the same shape. */
export const mlp = (width: number, layers: number): Uint8Array => {
  const numbers = Array.from({ length: layers }, (_, layer) => layer)
  const input = (layer: number) => layer === 0 ? "x" : `h${layer}`
  const output = (layer: number) => layer === layers - 1 ? "y" : `h${layer + 1}`
  const graph = message(
    ...numbers.flatMap((layer): ReadonlyArray<Field> => [
      [1, node("MatMul", [input(layer), `w${layer}`], `p${layer}`)],
      [1, node("Relu", [`p${layer}`], output(layer))]
    ]),
    [2, "mlp"],
    ...numbers.map((layer): Field => [5, weights(`w${layer}`, width, Math.sqrt(24 / width))]),
    [11, matrix("x", width)],
    [12, matrix("y", width)]
  )
  return message([1, 9], [2, "chorale"], [7, graph], [8, message([1, ""], [2, 17])])
}
