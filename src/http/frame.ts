/** One frame as the body of a request or a response. */
import * as ExternalMemory from "../internal/externalMemory.ts"
import * as Frames from "../internal/frames.ts"

/** A frame in parts, in order: where it is large, its attachments are handed on from where they are. */
export interface Parts {
  readonly length: number
  readonly parts: readonly [Uint8Array<ArrayBuffer>, ...ReadonlyArray<Uint8Array>]
}

/** The frame of a message. Throws FrameError where it would be longer than frames can be. */
export const encode = (message: unknown): Parts => {
  const { attachments, head: text } = Frames.split(message)
  const head = encoder.encode(text)
  const headAt = Frames.padded(Frames.fixed + 4 * attachments.length)
  const attachmentsAt = headAt + Frames.padded(head.byteLength)
  let length = attachmentsAt
  for (const { byteLength } of attachments) length += Frames.padded(byteLength)
  if (length > longest) {
    throw new Frames.FrameError({ message: `a message of ${length} bytes is over the 4 GiB of a frame` })
  }
  const isJoined = length <= joinedLimit || attachments.length === 0
  const first = allocate(isJoined ? length : attachmentsAt)
  writeNumber(first, 0, length)
  writeNumber(first, 4, head.byteLength)
  writeNumber(first, 8, attachments.length)
  writeNumber(first, 12, 0)
  attachments.forEach(({ byteLength }, index) => writeNumber(first, Frames.fixed + 4 * index, byteLength))
  const lengthsEnd = Frames.fixed + 4 * attachments.length
  write(first, lengthsEnd, headAt - lengthsEnd, nothing)
  write(first, headAt, attachmentsAt - headAt, head)
  if (!isJoined) return { length, parts: [first, ...attachments.flatMap(withPadding)] }
  let offset = attachmentsAt
  for (const attachment of attachments) {
    write(first, offset, Frames.padded(attachment.byteLength), attachment)
    offset += Frames.padded(attachment.byteLength)
  }
  return { length, parts: [first] }
}

/** The frame in one buffer of its own. */
export const join = ({ length, parts }: Parts): Uint8Array<ArrayBuffer> => {
  if (parts.length === 1) return parts[0]
  const joined = allocate(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.byteLength
  }
  return joined
}

/** The message of a body that is one frame. Its attachments are views of the body, which must begin at 8 bytes. */
export const decode = (body: Uint8Array): unknown => {
  if (body.byteLength < Frames.fixed) {
    throw new Frames.FrameError({ message: `a body of ${body.byteLength} bytes is no frame` })
  }
  const claimed = new DataView(body.buffer, body.byteOffset).getUint32(0, true)
  if (claimed !== body.byteLength) {
    throw new Frames.FrameError({ message: `a body of ${body.byteLength} bytes is not one frame of ${claimed}` })
  }
  return Frames.decode(body)
}

/** The largest frame that is read, in bytes: 1 GiB. A server bounds the body of a request before that. */
export const largest = 2 ** 30

/** Memory of which every byte is written before any is read, so that it need not be zeroed where the platform can. */
export const allocate = (length: number): Uint8Array<ArrayBuffer> => {
  ExternalMemory.allocated(length)
  if (typeof Buffer === "undefined") return new Uint8Array(length)
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(length)
  return new Uint8Array(buffer, byteOffset, length)
}

/**
 * Frees the memory of a chunk at once that nothing refers to any more. Left to the garbage collector, the chunks of
 * large frames make it run twice as often.
 */
export const release = ({ buffer, byteLength }: Uint8Array): void => {
  if (byteLength < worthReleasing || byteLength !== buffer.byteLength) return
  if (buffer instanceof ArrayBuffer && "transfer" in buffer) buffer.transfer(0)
}

const worthReleasing = 16 * 1024

const encoder = new TextEncoder()
const nothing = new Uint8Array(0)
const zeros = new Uint8Array(8)

// The length of a frame is a number of 32 bits.
const longest = 0xffff_ffff

// Up to here, copying attachments costs less than writing them one by one.
const joinedLimit = 64 * 1024

const withPadding = (attachment: Uint8Array): ReadonlyArray<Uint8Array> => {
  const padding = Frames.padded(attachment.byteLength) - attachment.byteLength
  return padding === 0 ? [attachment] : [attachment, zeros.subarray(0, padding)]
}

const writeNumber = (frame: Uint8Array, at: number, value: number) => {
  frame[at] = value
  frame[at + 1] = value >>> 8
  frame[at + 2] = value >>> 16
  frame[at + 3] = value >>> 24
}

/** Writes bytes, and zeros in what is left of their place. */
const write = (frame: Uint8Array, at: number, length: number, bytes: Uint8Array) => {
  frame.set(bytes, at)
  if (bytes.byteLength < length) frame.fill(0, at + bytes.byteLength, at + length)
}
