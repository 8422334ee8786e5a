/**
 * Buffers in shared memory that are sent again, by number.
 *
 * To clone a view of shared memory takes V8 longer than to read and write all else of a small message. So the sender gives
 * a buffer a number when it sends it for the second time, under which the receiver keeps it; from then on a few numbers
 * stand for each view of it. When the buffer of the sender is collected, the receiver lets go of its own.
 */
import type { TypedArray } from "../../internal/shapes.ts"

/**
 * What a message says of a typed array: nothing where that is posted as it is, the number under which its buffer is to be
 * kept, or, in place of it, that number, its kind, and where in the buffer it begins (in bytes) and how long it is.
 */
export type Place =
  | 0
  | readonly [number: number]
  | readonly [number: number, kind: number, byteOffset: number, length: number]

export interface Sender {
  readonly placeOf: (array: TypedArray) => Place
  /** To be called when the message has been written for which there was this place. */
  readonly sent: (array: TypedArray, place: Place) => void
}

export interface Receiver {
  /** The array of a place, given what takes the next of those that were posted. */
  readonly arrayAt: (place: Place, nextPosted: () => TypedArray) => TypedArray
  readonly letGo: (number: number) => void
}

interface Entry {
  readonly number: number
  isKept: boolean
}

/** What the receiver keeps of one sender at most; further buffers are cloned each time. */
const maxKept = 64

const kinds: ReadonlyArray<new(buffer: ArrayBufferLike, byteOffset: number, length: number) => TypedArray> = [
  Float32Array,
  Uint8Array,
  Int32Array,
  BigInt64Array,
  Float64Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Uint32Array,
  BigUint64Array
]

/** `onCollected` is told of the number of a buffer that can never be sent again. */
export const makeSender = (onCollected: (number: number) => void): Sender => {
  const entries = new WeakMap<SharedArrayBuffer, Entry>()
  let lastNumber = 0
  let kept = 0
  const collected = new FinalizationRegistry<number>((number) => {
    kept--
    onCollected(number)
  })
  return {
    placeOf: ({ buffer, byteOffset, constructor, length }) => {
      const entry = buffer instanceof SharedArrayBuffer ? entries.get(buffer) : undefined
      if (entry === undefined) return 0
      if (!entry.isKept) return kept < maxKept ? [entry.number] : 0
      const kind = kinds.findIndex((kind) => kind === constructor)
      return kind === -1 ? 0 : [entry.number, kind, byteOffset, length]
    },
    sent: ({ buffer }, place) => {
      if (!(buffer instanceof SharedArrayBuffer) || place !== 0 && place.length !== 1) return
      const entry = entries.get(buffer)
      if (entry === undefined) {
        // A view of a buffer that grows may grow with it, which a place does not say.
        if (!isGrowable(buffer)) entries.set(buffer, { number: ++lastNumber, isKept: false })
      } else if (place !== 0 && !entry.isKept) {
        entry.isKept = true
        kept++
        collected.register(buffer, entry.number)
      }
    }
  }
}

export const makeReceiver = (): Receiver => {
  const kept = new Map<number, ArrayBufferLike>()
  return {
    arrayAt: (place, nextPosted) => {
      if (place === 0) return nextPosted()
      if (place.length === 1) {
        const array = nextPosted()
        kept.set(place[0], array.buffer)
        return array
      }
      const [number, kind, byteOffset, length] = place
      // The sender said before which buffer has this number, and it knows the same kinds.
      return new kinds[kind]!(kept.get(number)!, byteOffset, length)
    },
    letGo: (number) => void kept.delete(number)
  }
}

const isGrowable = (buffer: SharedArrayBuffer): boolean => "growable" in buffer && buffer.growable === true
