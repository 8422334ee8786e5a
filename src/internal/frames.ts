/**
 * Messages as bytes: a small JSON head, and the tensors and files of the message behind it as they are.
 *
 * A frame is, in little-endian order: its length in bytes (u32), the length of its head (u32), the number of its
 * attachments (u32), zero (u32), the length of each attachment (u32 each), the head, and the attachments, each of these
 * parts padded to 8 bytes. The head is `{ "m": message, "b": paths, "z": paths }`: `b` says where in the message each
 * attachment belongs and `z` where a negative zero does, which JSON cannot write. A message with a short form is `s` in
 * place of `m`, and alone where it needs neither. Where both ends of a connection agree on it, the short form goes without
 * the names in it (`shapes.ts`).
 */
import { Data } from "effect"
import * as ShortMessage from "./shortMessage.ts"

/** Bytes that are no frame, or a frame over the limit. */
export class FrameError extends Data.TaggedError("FrameError")<{ readonly message: string }> {}

type Path = ReadonlyArray<string | number>

/** The length in bytes of what every frame begins with. */
export const fixed = 16

/** The length of a part of a frame with what pads it. */
export const padded = (length: number): number => Math.ceil(length / 8) * 8

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/** Writes messages as one buffer of frames. */
export const encode = (messages: ReadonlyArray<unknown>): Uint8Array<ArrayBuffer> => {
  const parts = messages.map(toParts)
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const { attachments, head, length } of parts) {
    const view = new DataView(result.buffer, offset, length)
    view.setUint32(0, length, true)
    view.setUint32(4, head.byteLength, true)
    view.setUint32(8, attachments.length, true)
    attachments.forEach((attachment, index) => view.setUint32(fixed + 4 * index, attachment.byteLength, true))
    let position = offset + padded(fixed + 4 * attachments.length)
    result.set(head, position)
    position += padded(head.byteLength)
    for (const attachment of attachments) {
      result.set(attachment, position)
      position += padded(attachment.byteLength)
    }
    offset += length
  }
  return result
}

/** A message in two parts: the head of its frame as JSON, and the bytes that go behind it. */
export interface Split {
  readonly head: string
  readonly attachments: ReadonlyArray<Uint8Array>
}

/** Splits a message, given its short form if it has one. */
export const split = (message: unknown, short = ShortMessage.shorten(message)): Split => {
  const plain = write(message, short)
  if (plain !== undefined) return { head: plain, attachments: [] }
  const { attachments, bytesAt, value, zerosAt } = detach(short ?? message)
  const places = { b: bytesAt, z: zerosAt }
  return { head: JSON.stringify(short === undefined ? { m: value, ...places } : { s: value, ...places }), attachments }
}

/** The head of a message that JSON writes as it is, given its short form; nothing for another. */
export const write = (message: unknown, short: ShortMessage.Short | undefined): string | undefined =>
  isPlain(short ?? message) ? JSON.stringify(short ?? { m: message, b: [], z: [] }) : undefined

const toParts = (message: unknown) => {
  const { attachments, head: text } = split(message)
  const head = encoder.encode(text)
  const lengths = attachments.reduce((sum, { byteLength }) => sum + padded(byteLength), 0)
  const length = padded(fixed + 4 * attachments.length) + padded(head.byteLength) + lengths
  if (length > 0xffff_ffff) {
    throw new FrameError({ message: `a message of ${length} bytes is over the 4 GiB of a frame` })
  }
  return { attachments, head, length }
}

/** Whether JSON writes a message as it is. */
export const isPlain = (value: unknown): boolean => {
  if (typeof value === "number") return value !== 0 || !Object.is(value, -0)
  if (typeof value !== "object" || value === null) return true
  if (ArrayBuffer.isView(value)) return false
  if (Array.isArray(value)) return value.every(isPlain)
  for (const key in value) {
    if (!isPlain((value as Readonly<Record<string, unknown>>)[key])) return false
  }
  return true
}

/** The message with null in place of bytes, and where they were. What holds no bytes is not copied. */
const detach = (message: unknown) => {
  const attachments: Array<Uint8Array> = []
  const bytesAt: Array<Path> = []
  const zerosAt: Array<Path> = []
  const path: Array<string | number> = []
  const visit = (value: unknown): unknown => {
    if (typeof value === "number") {
      if (Object.is(value, -0)) zerosAt.push(path.slice())
      return value
    }
    if (typeof value !== "object" || value === null) return value
    if (value instanceof Uint8Array) {
      attachments.push(value)
      bytesAt.push(path.slice())
      return null
    }
    return Array.isArray(value) ? visitArray(value) : visitObject(value)
  }
  const visitArray = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
    let copy: Array<unknown> | undefined
    for (let index = 0; index < values.length; index++) {
      path.push(index)
      const visited = visit(values[index])
      path.pop()
      if (visited !== values[index]) (copy ??= values.slice())[index] = visited
    }
    return copy ?? values
  }
  const visitObject = (value: object): object => {
    let copy: Record<string, unknown> | undefined
    for (const [key, field] of Object.entries(value)) {
      path.push(key)
      const visited = visit(field)
      path.pop()
      if (visited !== field) (copy ??= { ...value })[key] = visited
    }
    return copy ?? value
  }
  return { value: visit(message), attachments, bytesAt, zerosAt }
}

/** Takes bytes as they arrive and gives the messages of every frame that is complete. */
export const makeDecoder = (maxFrameSize: number): (chunk: Uint8Array) => ReadonlyArray<unknown> => {
  let waiting: Array<Uint8Array> = []
  let available = 0
  let needed = 4
  return (chunk) => {
    waiting.push(chunk)
    available += chunk.byteLength
    const messages: Array<unknown> = []
    while (available >= needed) {
      const bytes = join(waiting, available)
      const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
      if (length < fixed || length > maxFrameSize) {
        throw new FrameError({ message: `a frame of ${length} bytes is not within ${fixed} and ${maxFrameSize}` })
      }
      waiting = [bytes]
      needed = length
      if (available < length) break
      messages.push(decode(bytes.subarray(0, length)))
      const rest = bytes.subarray(length)
      waiting = rest.byteLength === 0 ? [] : [rest]
      available = rest.byteLength
      needed = 4
    }
    return messages
  }
}

/** One buffer with all chunks. Nothing is set aside for what a frame only claims to hold. */
const join = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  if (chunks.length === 1) return chunks[0]!
  const joined = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    joined.set(chunk, offset)
    offset += chunk.byteLength
  }
  return joined
}

const malformed = (what: string) => new FrameError({ message: `the frame is malformed: ${what}` })

/** How many attachments the frame that begins with these bytes has. */
export const attachmentCount = (bytes: Uint8Array): number => readNumber(bytes, 8)

const readNumber = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0

/** The message that a head stands for which is an array; nothing where it stands for none. */
export type Expand = (head: ReadonlyArray<unknown>) => object | undefined

/** The message of one whole frame. Its attachments are views of these bytes, or of a copy that is aligned to 8 bytes. */
export const decode = (bytes: Uint8Array, expand: Expand = ShortMessage.expand): unknown => {
  const headLength = readNumber(bytes, 4)
  const count = readNumber(bytes, 8)
  const headAt = padded(fixed + 4 * count)
  if (headAt + headLength > bytes.byteLength) throw malformed("its head is longer than itself")
  const head = decodeText(bytes.subarray(headAt, headAt + headLength))
  let offset = headAt + padded(headLength)
  const attachments: Array<Uint8Array> = []
  if (count > 0) {
    // A Buffer of Node is a Uint8Array with other methods: what users are given is a plain one.
    const frame = bytes.byteOffset % 8 === 0
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes)
    for (let index = 0; index < count; index++) {
      const length = readNumber(frame, fixed + 4 * index)
      if (offset + length > frame.byteLength) throw malformed("its attachments are longer than itself")
      attachments.push(frame.subarray(offset, offset + length))
      offset += padded(length)
    }
  }
  if (offset !== bytes.byteLength) throw malformed("its parts do not add up to its length")
  return assemble(head, attachments, expand)
}

const decodeText = (bytes: Uint8Array): string => {
  try {
    return decoder.decode(bytes)
  } catch {
    throw malformed("its head is no text")
  }
}

/** The message that was split into a head and attachments. */
export const assemble = (
  text: string,
  attachments: ReadonlyArray<Uint8Array>,
  expand: Expand = ShortMessage.expand
): unknown => {
  const head = parse(text)
  if (Array.isArray(head)) {
    if (attachments.length > 0) throw malformed("it has attachments and no places for them")
    return expanded(head, expand)
  }
  if (!isHead(head)) throw malformed("its head is incomplete")
  const { b, z } = head
  if (b.length !== attachments.length) throw malformed("it has another number of attachments than places for them")
  let message = "s" in head ? head.s : head.m
  for (let index = 0; index < b.length; index++) message = replace(message, b[index]!, null, attachments[index])
  for (const path of z) message = replace(message, path, 0, -0)
  return "s" in head ? expanded(message, ShortMessage.expand) : message
}

const expanded = (head: unknown, expand: Expand): object => {
  const message = Array.isArray(head) ? expand(head) : undefined
  if (message === undefined) throw malformed("its head is no message")
  return message
}

type Head = ({ readonly m: unknown } | { readonly s: unknown }) & {
  readonly b: ReadonlyArray<Path>
  readonly z: ReadonlyArray<Path>
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed("its head is not JSON")
  }
}

const isHead = (u: unknown): u is Head =>
  typeof u === "object" && u !== null && ("m" in u || "s" in u) && "b" in u && "z" in u && isPaths(u.b) && isPaths(u.z)

const isPaths = (u: unknown): u is ReadonlyArray<Path> =>
  Array.isArray(u) &&
  u.every((path) => Array.isArray(path) && path.every((key) => typeof key === "string" || typeof key === "number"))

/** Puts a value where a frame says, which must hold the placeholder and be the message's own. */
const replace = (message: unknown, path: Path, placeholder: unknown, value: unknown): unknown => {
  if (path.length === 0) {
    if (message !== placeholder) throw malformed("it names a place that is taken")
    return value
  }
  let holder = message
  const last = path.length - 1
  for (let index = 0; index < last; index++) holder = holderOf(holder, path[index]!)[path[index]!]
  const key = path[last]!
  const own = holderOf(holder, key)
  if (own[key] !== placeholder) throw malformed("it names a place that is taken")
  own[key] = value
  return message
}

const isEnumerable = Object.prototype.propertyIsEnumerable

/** What holds a field of its own under a key. What is not enumerable is no field, such as the length of an array. */
const holderOf = (holder: unknown, key: string | number): Record<string | number, unknown> => {
  if (typeof holder !== "object" || holder === null || !isEnumerable.call(holder, key)) {
    throw malformed("it names no place")
  }
  // JSON makes objects and arrays of such fields, which are read and written as they are, `__proto__` too.
  return holder as Record<string | number, unknown>
}
