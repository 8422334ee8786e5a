/** The tensors of a request or a response: in JSON, or as binary data behind it. */
import * as Tensor from "../Tensor.ts"
import { datatypes, differs } from "./datatype.ts"
import * as Elements from "./elements.ts"
import { isRecord } from "./json.ts"
import type { Field, Named } from "./model.ts"
import { invalid } from "./refusal.ts"

/** What is to be read. */
export interface Source {
  /** What the protocol calls them, in the singular. */
  readonly kind: "input" | "output"
  readonly entries: unknown
  /** What follows the JSON; nothing where the message is JSON alone. */
  readonly binary: Uint8Array | undefined
  /** The length of the whole message in bytes, which no tensor in JSON can have more elements than. */
  readonly length: number
  readonly expected: ReadonlyMap<string, Field>
  /** Whether tensors that nobody expects are passed over. */
  readonly lenient: boolean
}

/** The tensors by name. Throws Refusal. Binary ones are views of the message where their place in it allows. */
export const read = (source: Source): Named => {
  const { binary, entries, expected, kind, lenient } = source
  if (!Array.isArray(entries)) throw invalid(`the message has no array of ${kind}s`)
  const named = new Map<string, Tensor.Tensor>()
  let offset = 0
  for (const entry of entries) {
    const { data, name, parameters, size } = headOf(kind, entry)
    const what = `${kind} ${name}`
    const field = expected.get(name)
    const start = offset
    if (size !== undefined) offset += checkRoom(what, size, binary, offset)
    if (field === undefined) {
      if (lenient) continue
      throw invalid(`there is no ${what}: the model has ${Array.from(expected.keys()).join(", ")}`)
    }
    if (named.has(name)) throw invalid(`${what} is there twice`)
    checkParameters(what, parameters)
    const shape = checkHead(what, field, entry)
    if (size === undefined) {
      named.set(name, Elements.read(what, field.dtype, bounded(what, shape, source.length), data))
    } else {
      if (data !== undefined) throw invalid(`${what} has both data and binary_data_size`)
      named.set(name, fromBytes(what, field.dtype, shape, (binary ?? none).subarray(start, offset)))
    }
  }
  if (binary !== undefined && offset !== binary.byteLength) {
    throw invalid(`${binary.byteLength} bytes follow the JSON, of which its tensors take ${offset}`)
  }
  checkComplete(kind, expected, named)
  return named
}

const none = new Uint8Array(0)

/** Refuses a message that lacks a tensor. */
export const checkComplete = (kind: string, expected: Source["expected"], named: Named): void => {
  for (const { name, optional } of expected.values()) {
    if (!optional && !named.has(name)) throw invalid(`${kind} ${name} is missing`)
  }
}

const headOf = (kind: string, entry: unknown) => {
  if (!isRecord(entry)) throw invalid(`an ${kind} is no JSON object`)
  const { data, name, parameters = {} } = entry
  if (typeof name !== "string") throw invalid(`an ${kind} has no name`)
  const short = name.slice(0, 100)
  if (!isRecord(parameters)) throw invalid(`the parameters of ${kind} ${short} are no JSON object`)
  const { binary_data_size: size } = parameters
  if (size !== undefined && !isSize(size)) {
    throw invalid(`the binary_data_size of ${kind} ${short} is no number of bytes`)
  }
  return { data, name: short, parameters, size }
}

const isSize = (u: unknown): u is number => Number.isSafeInteger(u) && Number(u) >= 0

/** The size, where there are so many bytes left. */
const checkRoom = (what: string, size: number, binary: Uint8Array | undefined, offset: number): number => {
  if (binary === undefined) {
    throw invalid(`${what} is binary, but the header Inference-Header-Content-Length is missing`)
  }
  const left = binary.byteLength - offset
  if (size > left) throw invalid(`${what} has ${size} bytes of binary data, but ${left} are left`)
  return size
}

const checkParameters = (what: string, parameters: Readonly<Record<string, unknown>>) => {
  if ("shared_memory_region" in parameters) throw invalid(`${what} is in shared memory, which is not supported`)
}

/** The shape of a tensor that fits what is asked for. */
const checkHead = (what: string, field: Field, { datatype, shape }: Readonly<Record<string, unknown>>) => {
  if (typeof datatype !== "string") throw invalid(`${what} has no datatype`)
  if (!Array.isArray(shape)) throw invalid(`${what} has no shape`)
  return checkTensor(what, field, datatype, shape)
}

/** The shape of a tensor that fits what is asked for. Throws Refusal. */
export const checkTensor = (
  what: string,
  { dimensions, dtype }: Field,
  datatype: string,
  shape: ReadonlyArray<unknown>
): ReadonlyArray<number> => {
  if (datatype !== datatypes[dtype]) throw differs(what, dtype, datatype)
  if (!shape.every(isSize)) throw invalid(`the shape of ${what} is not one of sizes from 0`)
  if (!Tensor.fits(shape, dimensions)) {
    const sizes = shape.length > 16 ? [...shape.slice(0, 16), "..."] : shape
    throw invalid(`${what} has shape [${dimensions.join(", ")}], not [${sizes.join(", ")}]`)
  }
  return shape
}

/** Refuses a shape with more elements than a message can hold, before there is memory for them. */
export const bounded = (what: string, shape: ReadonlyArray<number>, length: number): ReadonlyArray<number> => {
  const size = Tensor.size(shape)
  if (!(size <= length)) throw invalid(`the shape of ${what} asks for ${size} elements in a message of ${length} bytes`)
  return shape
}

/** A view of the bytes where they begin at a multiple of the size of an element, and otherwise a copy. */
export const fromBytes = (
  what: string,
  dtype: Tensor.Dtype,
  shape: ReadonlyArray<number>,
  bytes: Uint8Array
): Tensor.Tensor => {
  const expected = Tensor.size(shape) * Tensor.bytesPerElement(dtype)
  if (expected !== bytes.byteLength) {
    throw invalid(
      `${what} ${Tensor.describe(datatypes[dtype], shape)} takes ${expected} bytes, not ${bytes.byteLength}`
    )
  }
  const isAligned = bytes.byteOffset % Tensor.bytesPerElement(dtype) === 0
  const tensor = Tensor.fromBytes(dtype, shape, isAligned ? bytes : new Uint8Array(bytes))
  if (tensor === undefined) throw invalid(`${what} is no tensor of shape [${shape.join(", ")}]`)
  return tensor
}
