/** Values as BentoML has them in JSON: a tensor is nested lists of numbers, and bytes are base64. */
import { Result, SchemaAST } from "effect"
import { Base64 } from "effect/encoding"
import * as TensorField from "../http/tensorField.ts"
import { isBytes } from "../internal/bytesCodec.ts"
import * as Tensor from "../Tensor.ts"

type Convert = (value: unknown) => unknown

interface Leaves {
  readonly bytes: Convert
  readonly tensor: (description: TensorField.Description) => Convert
}

/** What converts the leaves of the values of a schema. Leaves inside of unions and classes stay as they are. */
const converter = (ast: SchemaAST.AST, leaves: Leaves): Convert | undefined => {
  if (isBytes(ast)) return leaves.bytes
  const tensor = TensorField.describe(ast)
  if (tensor !== undefined) return leaves.tensor(tensor)
  if (ast.encoding !== undefined) return undefined
  if (SchemaAST.isArrays(ast) && ast.elements.length === 0) return items(ast.rest[0], leaves)
  return SchemaAST.isObjects(ast) ? fields(ast, leaves) : undefined
}

const items = (element: SchemaAST.AST | undefined, leaves: Leaves): Convert | undefined => {
  const each = element && converter(element, leaves)
  return each && ((value) => Array.isArray(value) ? value.map(each) : value)
}

const fields = (ast: SchemaAST.Objects, leaves: Leaves): Convert | undefined => {
  const converters = ast.propertySignatures.flatMap(({ name, type }) => {
    const convert = converter(type, leaves)
    return convert === undefined ? [] : [[String(name), convert] as const]
  })
  if (converters.length === 0) return undefined
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value
    const changed = converters.flatMap(([name, convert]) =>
      Object.hasOwn(value, name) ? [[name, convert(Reflect.get(value, name))] as const] : []
    )
    return { ...value, ...Object.fromEntries(changed) }
  }
}

const same: Convert = (value) => value

/** From the JSON of BentoML to what `codecFor` decodes. What does not fit stays, for the schema to refuse. */
export const decoder = (ast: SchemaAST.AST): Convert =>
  converter(ast, {
    bytes: (value) => typeof value === "string" ? Result.getOrElse(Base64.decode(value), () => value) : value,
    tensor: ({ dtype }) => (value) => fromLists(dtype, value) ?? value
  }) ?? same

/** From what `codecFor` encodes to the JSON of BentoML. */
export const encoder = (ast: SchemaAST.AST): Convert =>
  converter(ast, {
    bytes: (value) => value instanceof Uint8Array ? Base64.encode(value) : value,
    tensor: () => (value) => isRaw(value) ? toLists(value) : value
  }) ?? same

const isRaw = (value: unknown): value is TensorField.Raw =>
  typeof value === "object" && value !== null && "data" in value && value.data instanceof Uint8Array

const fromLists = (dtype: Tensor.Dtype, value: unknown): TensorField.Raw | undefined => {
  const shape = shapeOf(value)
  const flat = shape.length === 0 ? [value] : Array.isArray(value) ? value.flat(shape.length - 1) : []
  // The first lists claim the sizes of all: there is memory for as many elements as have come, and no more.
  if (flat.length !== Tensor.size(shape)) return undefined
  const tensor = Tensor.zeros(dtype, shape)
  const put = writer(tensor)
  return flat.every(put) ? { dtype, shape, data: Tensor.toBytes(tensor) } : undefined
}

/** The sizes of lists as far as their first elements tell them; an element that is of another size is one too many. */
const shapeOf = (value: unknown): ReadonlyArray<number> => {
  const shape: Array<number> = []
  for (let inner = value; Array.isArray(inner) && shape.length < 32; inner = inner[0]) shape.push(inner.length)
  return shape
}

/** Puts an element in its place, if it is one: a number that its dtype has, `null` for NaN, and true or false. */
const writer = ({ data, dtype }: Tensor.Tensor) => {
  const isFloat = dtype.startsWith("float")
  const floats = dtype === "float16" ? new Float16Array(data.buffer, data.byteOffset, data.length) : data
  return (element: unknown, index: number): boolean => {
    const number = typeof element === "boolean" ? Number(element) : element === null && isFloat ? NaN : element
    if (typeof number !== "number" || !isFloat && !Number.isInteger(number)) return false
    const stored = dtype === "bool" ? Number(number !== 0) : number
    if (floats instanceof BigInt64Array || floats instanceof BigUint64Array) floats[index] = BigInt(stored)
    else floats[index] = stored
    return isFloat || Number(floats[index]) === stored
  }
}

const toLists = ({ data, dtype, shape }: TensorField.Raw): unknown => {
  const tensor = Tensor.fromBytes(dtype, shape, data)
  if (tensor === undefined) return undefined
  const typed = dtype === "float16"
    ? new Float16Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.length)
    : tensor.data
  const flat = dtype === "bool" ? Array.from(typed, Boolean) : Array.from<number | bigint, number>(typed, Number)
  if (shape.length === 0) return flat[0]
  let lists: ReadonlyArray<unknown> = flat
  for (const size of shape.slice(1).toReversed()) {
    lists = Array.from(
      { length: size === 0 ? 0 : lists.length / size },
      (_, row) => lists.slice(row * size, (row + 1) * size)
    )
  }
  return lists
}
