/** The elements of a tensor as JSON, flat or nested, in row-major order. */
import * as Tensor from "../Tensor.ts"
import { invalid, type Refusal } from "./refusal.ts"

type Elements = Tensor.Arrays[Tensor.Dtype]

/** The tensor with these elements. Throws Refusal. The shape was checked against what the body can hold. */
export const read = (
  what: string,
  dtype: Tensor.Dtype,
  shape: ReadonlyArray<number>,
  data: unknown
): Tensor.Tensor => {
  if (dtype === "float16") throw invalid(`${what} is FP16, which JSON cannot carry: send it as binary data`)
  if (!Array.isArray(data)) throw invalid(`${what} has no array of data`)
  const tensor: Tensor.Tensor = Tensor.zeros(dtype, shape)
  const isNested = shape.length > 1 && Array.isArray(data[0])
  const read = fill(tensor.data, dtype, data, isNested ? shape : [tensor.data.length], 0, 0)
  if (typeof read === "string") throw invalid(`${what}: ${read}`)
  return tensor
}

/** The index after the last element that was read, or what is wrong. */
const fill = (
  elements: Elements,
  dtype: Exclude<Tensor.Dtype, "float16">,
  data: ReadonlyArray<unknown>,
  shape: ReadonlyArray<number>,
  axis: number,
  at: number
): number | string => {
  if (data.length !== shape[axis]) {
    return shape.length === 1
      ? `${data.length} elements, where its shape asks for ${shape[axis]}`
      : `${data.length} elements in dimension ${axis}, where its shape asks for ${shape[axis]}`
  }
  if (axis === shape.length - 1) return fillRow(elements, dtype, data, at)
  for (const row of data) {
    const next = Array.isArray(row)
      ? fill(elements, dtype, row, shape, axis + 1, at)
      : "its nesting differs from its shape"
    if (typeof next === "string") return next
    at = next
  }
  return at
}

const fillRow = (
  elements: Elements,
  dtype: Exclude<Tensor.Dtype, "float16">,
  data: ReadonlyArray<unknown>,
  at: number
): number | string => {
  const toElement = converters[dtype]
  for (const value of data) {
    const element = toElement(value)
    if (element === undefined) return `element ${at} is ${describe(value)}, which is no ${dtype}`
    // The converter of a dtype gives what its array holds.
    elements[at++] = element as never
  }
  return at
}

const describe = (value: unknown): string =>
  typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
    ? String(value)
    : value === null
    ? "null"
    : Array.isArray(value)
    ? "an array"
    : `a ${typeof value}`

type Convert = (value: unknown) => number | bigint | undefined

const float: Convert = (value) => {
  const number = typeof value === "bigint" ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) ? number : undefined
}

const float32: Convert = (value) => {
  const number = float(value)
  return number !== undefined && Number.isFinite(Math.fround(Number(number))) ? number : undefined
}

const integer = (least: number, most: number): Convert => (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most ? value : undefined

/** A number beyond 2^53 has lost digits, unless it was read as a bigint. */
const integer64 = (least: bigint, most: bigint): Convert => (value) => {
  const integer = typeof value === "bigint" ? value : Number.isSafeInteger(value) ? BigInt(Number(value)) : undefined
  return integer !== undefined && integer >= least && integer <= most ? integer : undefined
}

const converters: Readonly<Record<Exclude<Tensor.Dtype, "float16">, Convert>> = {
  float32,
  float64: float,
  int8: integer(-0x80, 0x7f),
  uint8: integer(0, 0xff),
  int16: integer(-0x8000, 0x7fff),
  uint16: integer(0, 0xffff),
  int32: integer(-0x8000_0000, 0x7fff_ffff),
  uint32: integer(0, 0xffff_ffff),
  int64: integer64(-(2n ** 63n), 2n ** 63n - 1n),
  uint64: integer64(0n, 2n ** 64n - 1n),
  bool: (value) => value === true || value === 1 ? 1 : value === false || value === 0 ? 0 : undefined
}

/** The elements of a tensor as the text of a flat JSON array. Throws Refusal where JSON cannot carry them. */
export const write = (what: string, { data, dtype }: Tensor.Tensor): string => {
  const elements: Iterable<number | bigint> = data
  switch (dtype) {
    case "float16":
      throw invalid(`${what} is FP16, which JSON cannot carry: ask for binary data`)
    case "bool":
      return `[${Array.from(elements, (element) => Number(element) !== 0).join(",")}]`
    case "float32":
    case "float64":
      return `[${Array.from(elements, (element) => writeFloat(what, Number(element))).join(",")}]`
    default:
      return `[${data.join(",")}]`
  }
}

const writeFloat = (what: string, element: number): string => {
  if (!Number.isFinite(element)) throw unfit(what, element)
  return Object.is(element, -0) ? "-0" : String(element)
}

const unfit = (what: string, element: number): Refusal =>
  invalid(`${what} has the element ${element}, which JSON cannot carry: ask for binary data`)
