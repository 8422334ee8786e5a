/** A message of the protocol over HTTP: JSON, and behind it the bytes of those tensors that are binary. */
import { allocate } from "../http/frame.ts"
import * as Tensor from "../Tensor.ts"
import { datatypes } from "./datatype.ts"
import * as Elements from "./elements.ts"
import type { Field } from "./model.ts"
import { invalid } from "./refusal.ts"

/** Where the JSON of a message ends, where something follows. */
export const lengthHeader = "inference-header-content-length"

export const jsonType = "application/json"

export const binaryType = "application/octet-stream"

/** The two parts of a body; a message of which all is JSON has no second one. Throws Refusal. */
export const split = (
  body: Uint8Array,
  headerLength: string | undefined
): { readonly json: Uint8Array; readonly binary: Uint8Array | undefined } => {
  if (headerLength === undefined) return { json: body, binary: undefined }
  const length = /^\d{1,15}$/.test(headerLength) ? Number(headerLength) : Number.NaN
  if (!(length <= body.byteLength)) {
    throw invalid(
      `Inference-Header-Content-Length is a number from 0 to ${body.byteLength}, not ${headerLength.slice(0, 40)}`
    )
  }
  return { json: body.subarray(0, length), binary: body.subarray(length) }
}

/**
 * Moves what follows the JSON so that it begins at a multiple of the size of the largest element, over the end of the
 * JSON, which must have been read. In its place it needs no memory of its own, as the copy of a tensor would.
 */
export const align = (json: Uint8Array, binary: Uint8Array, fields: Iterable<Field>): Uint8Array => {
  let size = 1
  for (const { dtype } of fields) size = Math.max(size, Tensor.bytesPerElement(dtype))
  const shift = binary.byteOffset % size
  if (shift === 0 || shift > json.byteLength || binary.byteLength === 0) return binary
  const start = binary.byteOffset - shift
  new Uint8Array(binary.buffer, start, shift + binary.byteLength).copyWithin(0, shift)
  return new Uint8Array(binary.buffer, start, binary.byteLength)
}

/** A tensor to be sent. */
export interface Entry {
  readonly kind: "input" | "output"
  readonly name: string
  readonly tensor: Tensor.Tensor
  readonly binary: boolean
}

/** The bytes of a message in order, all of which are JSON where there is no `headerLength`. */
export interface Message {
  readonly headerLength: number | undefined
  readonly length: number
  readonly parts: readonly [Uint8Array<ArrayBuffer>, ...ReadonlyArray<Uint8Array>]
}

/** The JSON of a tensor in a message. Throws Refusal where JSON cannot carry its elements. */
export const toJson = ({ binary, kind, name, tensor }: Entry): string => {
  const head = `{"name":${JSON.stringify(name)},"shape":[${tensor.shape.join(",")}],"datatype":"${
    datatypes[tensor.dtype]
  }"`
  return binary
    ? `${head},"parameters":{"binary_data_size":${tensor.data.byteLength}}}`
    : `${head},"data":${Elements.write(`${kind} ${name}`, tensor)}}`
}

/**
 * The message of a JSON text and the tensors that it says are binary.
 *
 * Spaces fill the text up to a multiple of 8 bytes, so that whoever has the message in memory can look at what follows
 * as numbers where they are.
 */
export const make = (json: string, entries: ReadonlyArray<Entry>): Message => {
  const binary = entries.filter((entry) => entry.binary).map(({ tensor }) => Tensor.toBytes(tensor))
  const text = encoder.encode(json)
  if (binary.length === 0) return { headerLength: undefined, length: text.byteLength, parts: [text] }
  const headerLength = Math.ceil(text.byteLength / 8) * 8
  const length = binary.reduce((sum, { byteLength }) => sum + byteLength, headerLength)
  const isJoined = length <= joinedLimit
  const first = allocate(isJoined ? length : headerLength)
  first.set(text)
  first.fill(0x20, text.byteLength, headerLength)
  if (!isJoined) return { headerLength, length, parts: [first, ...binary] }
  let offset = headerLength
  for (const bytes of binary) {
    first.set(bytes, offset)
    offset += bytes.byteLength
  }
  return { headerLength, length, parts: [first] }
}

const encoder = new TextEncoder()

// Up to here, copying costs less than writing part by part.
const joinedLimit = 64 * 1024
