/**
 * The bytes of a message as protobuf writes them, read field by field.
 *
 * A decoder of any messages makes a value of each element that it reads, some of them in a hundred times the memory
 * that they have as bytes. What is read here stays in arrays of numbers, or where it is.
 */

/** Bytes that are no message. */
export class WireError extends Error {}

/** How a field is written: a number of its own length, 8 bytes, a length and as many bytes, or 4 bytes. */
export const wireTypes = { varint: 0, fixed64: 1, block: 2, fixed32: 5 } as const

const decoder = new TextDecoder()

/** Goes over a message from its first field to its last. */
export class Cursor {
  /** The field that was entered last. */
  field = 0
  type = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Whether there is more to read. */
  get more(): boolean {
    return this.#at < this.#bytes.byteLength
  }

  /** Enters the next field, whose content must then be read or skipped. */
  next(): boolean {
    if (!this.more) return false
    const key = this.varint()
    this.field = Math.floor(key / 8)
    this.type = key % 8
    if (this.field === 0 || this.field > 0x1fff_ffff) throw new WireError("a field has no number")
    return true
  }

  /** A number without a sign; of more than 53 bits, the nearest. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let length = 1; length <= longestVarint; length++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 128
    }
    throw new WireError("a number has no end")
  }

  /** The lowest 32 bits of a number, with their sign. */
  int32(): number {
    let value = 0
    for (let length = 0; length < longestVarint; length++) {
      const byte = this.#byte()
      if (length < 5) value |= (byte & 0x7f) << 7 * length
      if (byte < 0x80) return value
    }
    throw new WireError("a number has no end")
  }

  /** A number of 64 bits with its sign. */
  int64(): bigint {
    let [low, middle, high] = [0, 0, 0]
    for (let length = 0; length < longestVarint; length++) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (length < 4) low |= bits << 7 * length
      else if (length < 8) middle |= bits << 7 * (length - 4)
      else high |= bits << 7 * (length - 8)
      if (byte < 0x80) {
        return length < 4
          ? BigInt(low)
          : BigInt.asIntN(64, BigInt(low) + (BigInt(middle) << 28n) + (BigInt(high) << 56n))
      }
    }
    throw new WireError("a number has no end")
  }

  float32(): number {
    return this.#view.getFloat32(this.#advance(4), true)
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), true)
  }

  /** The bytes of a field that has a length. */
  block(): Uint8Array {
    if (this.type !== wireTypes.block) throw new WireError(`field ${this.field} is written as another type`)
    const length = this.varint()
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  text(): string {
    return decoder.decode(this.block())
  }

  skip(): void {
    switch (this.type) {
      case wireTypes.varint:
        return void this.varint()
      case wireTypes.fixed64:
        return void this.#advance(8)
      case wireTypes.block:
        return void this.block()
      case wireTypes.fixed32:
        return void this.#advance(4)
      default:
        throw new WireError(`field ${this.field} is written as no type`)
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new WireError("the message is cut off")
    return byte
  }

  #advance(length: number): number {
    const start = this.#at
    if (!(length <= this.#bytes.byteLength - start)) throw new WireError("the message is cut off")
    this.#at += length
    return start
  }
}

const longestVarint = 10

/** How many numbers there are in the bytes of a packed field. */
export const countVarints = (bytes: Uint8Array): number => {
  let count = 0
  for (let index = 0; index < bytes.byteLength; index++) if (bytes[index]! < 0x80) count++
  return count
}
