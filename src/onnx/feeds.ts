/**
 * Checks what goes into a model and what comes out against the metadata of the model, in O(dimensions).
 */
import { Effect } from "effect"
import * as Tensor from "../Tensor.ts"
import { BadFeeds } from "./OnnxError.ts"

/**
 * An input or output of a model: its name, dtype and dimensions as the file declares them.
 *
 * A dimension is a size, or a name where the caller chooses the size. A scalar and a tensor of unknown rank both have
 * an empty shape, which is how ONNX Runtime reports them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Port {
  readonly name: string
  readonly dtype: Tensor.Dtype
  readonly shape: ReadonlyArray<Tensor.Dimension>
}

/**
 * Tensors by the name of the input or output.
 *
 * @category models
 * @since 0.1.0
 */
export type Tensors = Readonly<Record<string, Tensor.Tensor>>

/**
 * Schemas by the name of the output; `Tensor.schema` makes one.
 *
 * @category models
 * @since 0.1.0
 */
export type OutputSchemas = Readonly<
  Record<string, {
    readonly Type: Tensor.Tensor
    readonly dtype: Tensor.Dtype
    readonly dimensions: ReadonlyArray<Tensor.Dimension>
  }>
>

/** The first thing that is wrong with the tensors of a call, if anything is. */
export const check = (path: string, inputs: ReadonlyArray<Port>, feeds: Tensors): BadFeeds | undefined => {
  const named = new Map<string, { readonly size: number; readonly input: string }>()
  for (const input of inputs) {
    const bad = (actual: string, expected = Tensor.describe(input.dtype, input.shape)) =>
      new BadFeeds({ path, input: input.name, expected, actual })
    if (!Object.hasOwn(feeds, input.name)) return bad("nothing")
    const tensor = feeds[input.name]!
    const flaw = flawOf(tensor)
    if (flaw !== undefined) return bad(flaw)
    if (!accepts(input, tensor)) return bad(Tensor.describe(tensor.dtype, tensor.shape))
    for (let axis = 0; axis < input.shape.length; axis++) {
      const dimension = input.shape[axis]!
      const size = tensor.shape[axis]!
      if (typeof dimension === "number") continue
      const known = named.get(dimension)
      if (known !== undefined && known.size !== size) {
        return bad(
          Tensor.describe(tensor.dtype, tensor.shape),
          `${Tensor.describe(input.dtype, input.shape)} where ${dimension} = ${known.size} as in input "${known.input}"`
        )
      }
      named.set(dimension, { size, input: input.name })
    }
  }
  for (const name in feeds) {
    if (!inputs.some((input) => input.name === name)) {
      const names = inputs.map((input) => `"${input.name}"`).join(", ")
      return new BadFeeds({ path, input: name, expected: `one of the inputs ${names}`, actual: `"${name}"` })
    }
  }
  return undefined
}

/** Throws when the schemas ask for an output that the model does not have, or has with another dtype or rank. */
export const checkSchemas = (path: string, outputs: ReadonlyArray<Port>, schemas: OutputSchemas): void => {
  for (const [name, schema] of Object.entries(schemas)) {
    const output = outputs.find((output) => output.name === name)
    const expected = Tensor.describe(schema.dtype, schema.dimensions)
    if (output === undefined) {
      const names = outputs.map((output) => `"${output.name}"`).join(", ")
      throw new Error(`${path} has no output "${name}"; its outputs are ${names}`)
    }
    const rankDiffers = output.shape.length > 0 && output.shape.length !== schema.dimensions.length
    if (output.dtype !== schema.dtype || rankDiffers) {
      throw unexpected(path, name, expected, Tensor.describe(output.dtype, output.shape))
    }
  }
}

/** Dies when an output came with other dimensions than its schema asks for. */
export const checkOutputs = (path: string, schemas: OutputSchemas, results: Tensors): Effect.Effect<void> => {
  for (const [name, { dimensions, dtype }] of Object.entries(schemas)) {
    const { shape } = results[name]!
    if (Tensor.fits(shape, dimensions)) continue
    return Effect.die(unexpected(path, name, Tensor.describe(dtype, dimensions), Tensor.describe(dtype, shape)))
  }
  return Effect.void
}

const unexpected = (path: string, output: string, expected: string, actual: string) =>
  new Error(`Output "${output}" of ${path}: the schema says ${expected}, the model gives ${actual}`)

/** Why the elements of a tensor contradict its own dtype or shape. */
const flawOf = (tensor: Tensor.Tensor): string | undefined => {
  if (Tensor.isTensor(tensor)) return undefined
  // A caller without types can pass anything; the next line finds out.
  const { data, dtype, shape } = (tensor ?? {}) as Partial<Tensor.Tensor>
  if (dtype === undefined || shape === undefined || data === undefined) return "a value that is not a tensor"
  return `${Tensor.describe(dtype, shape)} with ${data.length} elements in a ${data.constructor.name}`
}

/** ONNX Runtime reports an unknown rank as no dimensions at all, like a scalar, so that case is left to the run. */
const accepts = (input: Port, tensor: Tensor.Tensor): boolean =>
  input.dtype === tensor.dtype && (input.shape.length === 0 ||
    (input.shape.length === tensor.shape.length &&
      input.shape.every((dimension, axis) => typeof dimension === "string" || dimension === tensor.shape[axis])))
