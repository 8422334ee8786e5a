/**
 * Messages onto a socket: all that is sent before what runs now ends goes out in one write, and large tensors are handed
 * to the operating system from where they are.
 */
import type * as Net from "node:net"
import * as Frames from "../../internal/frames.ts"

/** The parts of the frame of a message, in order, or its length where that is over the limit. */
export const encode = ({ attachments, head }: Frames.Split, limit: number): ReadonlyArray<Uint8Array> | number => {
  const headLength = Buffer.byteLength(head)
  const headAt = Frames.padded(Frames.fixed + 4 * attachments.length)
  const attachmentsAt = headAt + Frames.padded(headLength)
  let length = attachmentsAt
  for (const { byteLength } of attachments) length += Frames.padded(byteLength)
  if (length > limit) return length
  const joined = length <= joinedLimit || attachments.length === 0
  const first = Buffer.allocUnsafe(joined ? length : attachmentsAt)
  first.writeUInt32LE(length, 0)
  first.writeUInt32LE(headLength, 4)
  first.writeUInt32LE(attachments.length, 8)
  first.writeUInt32LE(0, 12)
  for (let index = 0; index < attachments.length; index++) {
    first.writeUInt32LE(attachments[index]!.byteLength, Frames.fixed + 4 * index)
  }
  pad(first, Frames.fixed + 4 * attachments.length, headAt)
  first.write(head, headAt, headLength)
  pad(first, headAt + headLength, attachmentsAt)
  if (!joined) return [first, ...attachments.flatMap(withPadding)]
  let offset = attachmentsAt
  for (const attachment of attachments) {
    first.set(attachment, offset)
    const end = offset + Frames.padded(attachment.byteLength)
    pad(first, offset + attachment.byteLength, end)
    offset = end
  }
  return [first]
}

// Up to here, copying attachments costs less than writing them one by one.
const joinedLimit = 32 * 1024

/** `fill` costs more than what it does for so few bytes. */
const pad = (bytes: Buffer, from: number, end: number) => {
  for (let at = from; at < end; at++) bytes[at] = 0
}

const zeros = Buffer.alloc(8)

const withPadding = (attachment: Uint8Array): ReadonlyArray<Uint8Array> => {
  const padding = Frames.padded(attachment.byteLength) - attachment.byteLength
  return padding === 0 ? [attachment] : [attachment, zeros.subarray(0, padding)]
}

const settled = Promise.resolve()

/** Collects what is to be written, and writes it when what runs now has ended. */
export const make = (socket: Net.Socket, onWritten: () => void) => {
  let parts: Array<Uint8Array> = []
  let scheduled = false
  const flush = () => {
    if (!scheduled) return
    scheduled = false
    const all = parts
    parts = []
    if (socket.destroyed || !socket.writable) return
    writeAll(socket, all)
    onWritten()
  }
  const write = (added: ReadonlyArray<Uint8Array>) => {
    for (const part of added) parts.push(part)
    if (scheduled) return
    scheduled = true
    // A tick of Node would be a call into JavaScript of its own, after this one.
    void settled.then(flush)
  }
  return { write, flush }
}

const writeAll = (socket: Net.Socket, parts: ReadonlyArray<Uint8Array>) => {
  if (parts.length === 1) {
    socket.write(parts[0]!)
    return
  }
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
  if (length <= joinedLimit) {
    socket.write(Buffer.concat(parts, length))
    return
  }
  socket.cork()
  for (const part of parts) socket.write(part)
  socket.uncork()
}
