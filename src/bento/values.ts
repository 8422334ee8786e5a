/** Values as BentoML has them in JSON: a tensor is nested lists of numbers, and bytes are base64. */
import { Exit, Schema, SchemaAST, SchemaParser } from "effect"
import * as Base64 from "../http/base64.ts"
import * as TensorField from "../http/tensorField.ts"
import { codecFor, isBytes } from "../internal/bytesCodec.ts"
import * as Tensor from "../Tensor.ts"

type Convert = (value: unknown) => unknown

interface Leaves {
  readonly bytes: Convert
  readonly tensor: (description: TensorField.Description) => Convert
  /** A value that is not taken apart, such as one of a union or of a class: it is what it is in `Serve.http`. */
  readonly whole: (schema: Schema.Codec<unknown, unknown>) => Convert
}

/** What converts the leaves of the values of a schema. */
const converter = (ast: SchemaAST.AST, leaves: Leaves): Convert | undefined => {
  if (isBytes(ast)) return leaves.bytes
  const tensor = TensorField.describe(ast)
  if (tensor !== undefined) return leaves.tensor(tensor)
  if (ast.encoding === undefined) {
    if (SchemaAST.isArrays(ast) && ast.elements.length === 0) return items(ast.rest[0], leaves)
    if (SchemaAST.isObjects(ast)) return fields(ast, leaves)
  }
  // The schemas of contracts are plain, without services of their own.
  const schema = Schema.make<Schema.Codec<unknown, unknown>>(ast)
  return holdsBytes(Schema.toCodecJson(schema).ast, new Set()) ? leaves.whole(schema) : undefined
}

/** Whether there are bytes anywhere in what a schema is encoded to, a tensor's among them. */
const holdsBytes = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST>): boolean => {
  if (isBytes(ast)) return true
  if (seen.has(ast)) return false
  seen.add(ast)
  const inner = (ast: SchemaAST.AST) => holdsBytes(ast, seen)
  if (ast.encoding !== undefined) return ast.encoding.some(({ to }) => inner(to))
  switch (ast._tag) {
    case "Arrays":
      return ast.elements.some(inner) || ast.rest.some(inner)
    case "Objects":
      return ast.propertySignatures.some(({ type }) => inner(type)) ||
        ast.indexSignatures.some(({ type }) => inner(type))
    case "Union":
      return ast.types.some(inner)
    case "Suspend":
      return inner(ast.thunk())
    default:
      return false
  }
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
    bytes: (value) => typeof value === "string" ? Base64.decode(value) ?? value : value,
    tensor: ({ dtype }) => (value) => fromLists(dtype, value) ?? value,
    whole: (schema) => between(Schema.toCodecJson(schema), codecFor(schema))
  }) ?? same

/** From what `codecFor` encodes to the JSON of BentoML. */
export const encoder = (ast: SchemaAST.AST): Convert =>
  converter(ast, {
    bytes: (value) => value instanceof Uint8Array ? Base64.encode(value) : value,
    tensor: () => (value) => isRaw(value) ? toLists(value) : value,
    whole: (schema) => between(codecFor(schema), Schema.toCodecJson(schema))
  }) ?? same

/** From what one codec encodes a value to, to what the other does. */
const between = (from: Schema.Codec<unknown, unknown>, to: Schema.Codec<unknown, unknown>): Convert => {
  const decode = SchemaParser.decodeUnknownExit(from)
  const encode = SchemaParser.encodeUnknownExit(to)
  return (value) => {
    const decoded = decode(value)
    const encoded = Exit.isSuccess(decoded) ? encode(decoded.value) : decoded
    return Exit.isSuccess(encoded) ? encoded.value : value
  }
}

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
