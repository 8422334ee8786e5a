/**
 * Frames out of the chunks of a socket.
 *
 * A frame with attachments is copied once, into a buffer of exactly its length that belongs to it alone. What a frame
 * only claims to hold is not set aside: until a sixteenth of it is here, its buffer is at most twice what has come.
 */
import * as ExternalMemory from "../../internal/externalMemory.ts"
import * as Frames from "../../internal/frames.ts"

export interface FrameReader {
  /** Takes a chunk, which may be overwritten afterwards. Throws FrameError where it holds no frame. */
  readonly push: (chunk: Uint8Array) => void
  /** Takes no more chunks, and no more frames of the present one. */
  readonly stop: () => void
  /** Whether a frame has begun that is not complete. */
  readonly isPartial: () => boolean
}

export const make = (options: {
  /** The longest frame, in bytes, that is read at this moment. */
  readonly limit: () => number
  readonly onMessage: (message: unknown) => void
  /** What makes a message of a head that is an array; by default, the short form of a message is. */
  readonly expand?: Frames.Expand
}): FrameReader => {
  let stopped = false
  let frame: Uint8Array | undefined
  let received = 0
  // The length of the frame that has begun, or of the field that says it.
  let length = 0
  let lengthKnown = false

  const lengthAt = (bytes: Uint8Array, offset: number): number => {
    const claimed = bytes[offset]! + bytes[offset + 1]! * 0x100 + bytes[offset + 2]! * 0x1_0000 +
      bytes[offset + 3]! * 0x100_0000
    const limit = options.limit()
    if (claimed < Frames.fixed || claimed > limit) {
      throw new Frames.FrameError({ message: `a frame of ${claimed} bytes is not within ${Frames.fixed} and ${limit}` })
    }
    return claimed
  }

  const begin = (chunk: Uint8Array, offset: number): number => {
    const left = chunk.byteLength - offset
    received = 0
    lengthKnown = left >= lengthField
    length = lengthKnown ? lengthAt(chunk, offset) : lengthField
    if (lengthKnown && left >= length) {
      const whole = length === chunk.byteLength ? chunk : chunk.subarray(offset, offset + length)
      options.onMessage(Frames.decode(ownedIfKept(whole), options.expand))
      return offset + length
    }
    frame = allocate(capacity(length, left))
    return proceed(frame, chunk, offset)
  }

  const proceed = (into: Uint8Array, chunk: Uint8Array, offset: number): number => {
    const taken = Math.min(chunk.byteLength - offset, into.byteLength - received)
    into.set(chunk.subarray(offset, offset + taken), received)
    received += taken
    if (received === into.byteLength) advance(into)
    return offset + taken
  }

  const advance = (full: Uint8Array) => {
    if (!lengthKnown) {
      length = lengthAt(full, 0)
      lengthKnown = true
    }
    if (received < length) {
      frame = allocate(capacity(length, received))
      frame.set(full)
      return
    }
    frame = undefined
    options.onMessage(Frames.decode(full, options.expand))
  }

  return {
    push: (chunk) => {
      let offset = 0
      while (offset < chunk.byteLength) {
        if (stopped) return
        offset = frame === undefined ? begin(chunk, offset) : proceed(frame, chunk, offset)
      }
    },
    stop: () => {
      stopped = true
      frame = undefined
    },
    isPartial: () => frame !== undefined
  }
}

/**
 * Frees the memory of a chunk at once that nothing refers to any more. Left to the garbage collector, the chunks of large
 * frames make it run twice as often.
 */
export const release = (chunk: Buffer): void => {
  const { buffer } = chunk
  if (chunk.byteLength < worthReleasing || chunk.byteLength !== buffer.byteLength) return
  if (buffer instanceof ArrayBuffer && "transfer" in buffer) buffer.transfer(0)
}

const worthReleasing = 16 * 1024

const lengthField = 4

// Below this, a frame gets its whole buffer at once.
const small = 64 * 1024

const capacity = (length: number, received: number): number =>
  length <= small || received * 16 >= length ? length : Math.min(length, Math.max(small, 2 * received))

// Every byte of it is written before any is read, so it need not be zeroed.
const allocate = (length: number): Uint8Array<ArrayBuffer> => {
  ExternalMemory.allocated(length)
  const buffer = Buffer.allocUnsafeSlow(length)
  return new Uint8Array(buffer.buffer, buffer.byteOffset, length)
}

/** What is decoded from a head is copied by that; attachments are not, and may be kept after the chunk is gone. */
const ownedIfKept = (bytes: Uint8Array): Uint8Array => {
  if (Frames.attachmentCount(bytes) === 0) return bytes
  const owned = allocate(bytes.byteLength)
  owned.set(bytes)
  return owned
}
