/** Tensors as fields of a payload: what their schema says, and their elements as the bytes of a file. */
import type { SchemaAST } from "effect"
import * as Tensor from "../Tensor.ts"

/** What a schema of tensors asks for. */
export interface Description {
  readonly dtype: Tensor.Dtype
  readonly dimensions: ReadonlyArray<Tensor.Dimension>
}

/** What a schema node says of its tensors, where it is one of `Tensor.schema`. */
export const describe = (ast: SchemaAST.AST): Description | undefined => {
  const representation = ast.annotations?.["representation"]
  // Only `Tensor.schema` writes this id, and the payload with it.
  const { id, payload } = (representation ?? {}) as { readonly id?: string; readonly payload?: Description }
  return id === "chorale/Tensor" ? payload : undefined
}

/** A tensor as it is in a payload whose bytes are left as bytes. */
export interface Raw {
  readonly dtype: Tensor.Dtype
  readonly shape: ReadonlyArray<number>
  readonly data: Uint8Array
}

/**
 * The tensor with these elements, little-endian and in row-major order, or a sentence of what is wrong.
 *
 * Its sizes are those that are given, such as `3x224x224`; otherwise those of its schema, of which one may follow from
 * the number of bytes.
 */
export const fromFile = (
  { dimensions, dtype }: Description,
  data: Uint8Array,
  given: string | undefined
): Raw | string => {
  const shape = given === undefined ? infer(dimensions, data.byteLength / Tensor.bytesPerElement(dtype)) : sizes(given)
  return typeof shape === "string" ? shape : { dtype, shape, data }
}

const sizes = (given: string): ReadonlyArray<number> | string =>
  /^\d{1,15}([x,]\d{1,15})*$/.test(given)
    ? given.split(/[x,]/).map(Number)
    : `a shape is given as 3x224x224, not ${JSON.stringify(given.slice(0, 40))}`

const infer = (
  dimensions: ReadonlyArray<Tensor.Dimension>,
  elements: number
): ReadonlyArray<number> | string => {
  const free = dimensions.filter((dimension) => typeof dimension === "string")
  if (free.length === 0) return dimensions.map(Number)
  if (free.length > 1) return "say the shape, as in `content-type: application/octet-stream; shape=3x224x224`"
  const fixed = dimensions.reduce<number>((size, each) => typeof each === "number" ? size * each : size, 1)
  const inferred = fixed === 0 ? 0 : elements / fixed
  return Number.isInteger(inferred)
    ? dimensions.map((dimension) => typeof dimension === "number" ? dimension : inferred)
    : `${elements} elements do not fill ${dimensions.join("x")}`
}
