/**
 * A request or result with tensors as one array of all that it holds: to clone an object takes several times as long as
 * to clone what is in it.
 *
 * `[2, id, tag, headers, others]` or `[3, requestId, others]`, and then of each tensor its key, dtype, data, rank and
 * sizes. `headers` are JSON, and so is `others`, the fields that are no tensors; a value that is a tensor has no others.
 */
import * as ExternalMemory from "../../internal/externalMemory.ts"
import * as Frames from "../../internal/frames.ts"
import type { Short } from "../../internal/shortMessage.ts"

/** Any typed array. */
export type TypedArray = Exclude<NodeJS.TypedArray, Buffer>

export const isTypedArray = (u: unknown): u is TypedArray => ArrayBuffer.isView(u) && !(u instanceof DataView)

type Flat = ReadonlyArray<unknown>

export const isFlat = (posted: ReadonlyArray<unknown>): boolean => posted[0] === 2 || posted[0] === 3

/**
 * Flattens a message whose value is a tensor, or an object of tensors and of what JSON writes as it is; nothing for
 * another. `give` makes of the data of a tensor what can be posted.
 */
export const flatten = (short: Short, give: (data: TypedArray) => TypedArray): Flat | undefined => {
  const value = short[0] === 0 ? short[4] : short[2]
  const isOne = isTensor(value)
  if (!isOne && !isSplittable(value)) return undefined
  const flat: Array<unknown> = short[0] === 0
    ? [2, short[1], short[2], JSON.stringify(short[3]), ""]
    : [3, short[1], ""]
  if (isOne) pushTensor(flat, "", value, give)
  else flat[flat.length - 1] = pushTensors(flat, value, give)
  return flat
}

/** The short form of a message that was flattened. */
export const unflatten = (flat: Flat): ReadonlyArray<unknown> => {
  const isRequest = flat[0] === 2
  const othersAt = isRequest ? 4 : 2
  const others = flat[othersAt]
  const fields: Record<string, unknown> = typeof others === "string" && others !== "" ? JSON.parse(others) : {}
  for (let at = othersAt + 1; at < flat.length;) {
    const key = String(flat[at])
    const sizesAt = at + 4
    const next = sizesAt + Number(flat[at + 3])
    const data = flat[at + 2]
    if (isTypedArray(data) && data.buffer instanceof ArrayBuffer) ExternalMemory.allocated(data.byteLength)
    fields[key] = { dtype: flat[at + 1], shape: flat.slice(sizesAt, next), data }
    at = next
  }
  const value = others === "" ? fields[""] : fields
  return isRequest ? [0, flat[1], flat[2], JSON.parse(String(flat[3])), value] : [1, flat[1], value]
}

interface PlainTensor {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly data: TypedArray
}

/** Whether a value is what a tensor is, and no more than that. */
const isTensor = (u: unknown): u is PlainTensor =>
  typeof u === "object" && u !== null && "data" in u && isTypedArray(u.data) && "dtype" in u &&
  typeof u.dtype === "string" && "shape" in u && Array.isArray(u.shape) && u.shape.every(isNumber) &&
  Object.keys(u).length === 3

const isNumber = (u: unknown): boolean => typeof u === "number"

const isSplittable = (u: unknown): u is Readonly<Record<string, unknown>> => {
  if (typeof u !== "object" || u === null || Object.getPrototypeOf(u) !== Object.prototype) return false
  for (const key in u) {
    const field = (u as Readonly<Record<string, unknown>>)[key]
    if (key === "__proto__" || !isTensor(field) && !Frames.isPlain(field)) return false
  }
  return true
}

/** What is left beside the tensors, as JSON. */
const pushTensors = (
  flat: Array<unknown>,
  value: Readonly<Record<string, unknown>>,
  give: (data: TypedArray) => TypedArray
): string => {
  let others: Record<string, unknown> | undefined
  for (const key in value) {
    const field = value[key]
    if (isTensor(field)) pushTensor(flat, key, field, give)
    else (others ??= {})[key] = field
  }
  return others === undefined ? "{}" : JSON.stringify(others)
}

const pushTensor = (
  flat: Array<unknown>,
  key: string,
  { data, dtype, shape }: PlainTensor,
  give: (data: TypedArray) => TypedArray
): void => {
  flat.push(key, dtype, give(data), shape.length, ...shape)
}
