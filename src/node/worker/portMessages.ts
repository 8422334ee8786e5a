/**
 * Messages as they are posted to another thread: a head in JSON, which costs less than cloning objects, and the bytes.
 *
 * Bytes in shared memory are passed as they are. All other bytes are copied once, and the copy is given away: so neither
 * side can change what the other holds, and nobody's memory is detached.
 */
import * as Frames from "../../internal/frames.ts"

/** One message: its head alone, or its head and its bytes. */
type Posted = string | readonly [head: string, ...attachments: ReadonlyArray<Uint8Array>]

/** What is posted at once: one message without bytes, or all that one turn of the event loop sends. */
export type Batch = string | ReadonlyArray<Posted>

/** Collects what is to be posted, and posts it when the present turn of the event loop is over. */
export const makeSender = (post: (batch: Batch, transfer: ReadonlyArray<ArrayBuffer>) => void) => {
  let batch: Array<Posted> = []
  let transfer: Array<ArrayBuffer> = []
  const flush = () => {
    const [sent, given] = [batch, transfer]
    batch = []
    transfer = []
    // An array around a string costs a tenth of the round trip.
    post(sent.length === 1 && typeof sent[0] === "string" ? sent[0] : sent, given)
  }
  return (message: unknown): void => {
    const { attachments, head } = Frames.split(message)
    if (batch.length === 0) process.nextTick(flush)
    batch.push(attachments.length === 0 ? head : [head, ...attachments.map((bytes) => owned(bytes, transfer))])
  }
}

/** Whether something that was posted is messages, and nothing that the two threads say of themselves. */
export const isBatch = (posted: unknown): posted is Batch => typeof posted === "string" || Array.isArray(posted)

/** Gives each message that was posted, as it was given to the sender. */
export const receive = (batch: Batch, onMessage: (message: unknown) => void): void => {
  if (typeof batch === "string") return onMessage(Frames.assemble(batch, []))
  for (const posted of batch) onMessage(decode(posted))
}

const decode = (posted: Posted): unknown => {
  if (typeof posted === "string") return Frames.assemble(posted, [])
  const [head, ...attachments] = posted
  return Frames.assemble(head, attachments)
}

/** Below this many bytes the copy that cloning makes costs less than giving one away. */
const worthGiving = 4096

const owned = (bytes: Uint8Array, transfer: Array<ArrayBuffer>): Uint8Array => {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes
  // Cloning a view clones all of the buffer that it is a view of.
  if (bytes.byteLength < worthGiving) {
    return bytes.byteLength === bytes.buffer.byteLength
      ? bytes
      : Uint8Array.from(bytes)
  }
  // Every byte of it is written, so it need not be zeroed; it has a buffer of its own.
  const { buffer, byteLength, byteOffset } = Buffer.allocUnsafeSlow(bytes.byteLength)
  const copy = new Uint8Array(buffer, byteOffset, byteLength)
  copy.set(bytes)
  transfer.push(buffer)
  return copy
}
