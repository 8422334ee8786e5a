/** The key of a payload: the same for equal payloads, and another for any other. */
import { Effect, Schema } from "effect"
import { codecFor } from "../internal/bytesCodec.ts"
import type * as Model from "../Model.ts"

/** Above this many characters or bytes, a payload is known by its SHA-256. */
const longest = 256

/**
 * Makes one string of a payload that fits the contract.
 *
 * Its values are written as they are, and not as the contract encodes them: a union may encode a `1n` and a `"1"` alike.
 * Only what is inside of objects of classes is known by their encoding.
 */
export const make = (method: Model.Definition): (payload: unknown) => Effect.Effect<string> => {
  const encode = Schema.encodeEffect(codecFor(method.payload))
  return (payload) => {
    const written: Written = { parts: [], isWhole: true }
    const text = `${method.name} ${write(payload, written)}`
    if (written.isWhole) return toKey(text, written.parts)
    return Effect.flatMap(Effect.orDie(encode(payload)), (encoded) => {
      const parts: Array<Uint8Array> = []
      return toKey(`${text} ${write(encoded, { parts, isWhole: true })}`, parts)
    })
  }
}

/** What is not in the text of a value: its bytes, and whether anything else is missing. */
interface Written {
  readonly parts: Array<Uint8Array>
  isWhole: boolean
}

/** The values with the keys of objects in order and bytes outside of it; what differs is written differently. */
const write = (value: unknown, into: Written): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value)
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "bigint":
      return `${value}n`
    case "object":
      return value === null ? "null" : writeObject(value, into)
    case "boolean":
    case "undefined":
      return String(value)
    default:
      into.isWhole = false
      return typeof value
  }
}

const writeObject = (value: object, into: Written): string => {
  if (ArrayBuffer.isView(value)) {
    into.parts.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    return `${Object.prototype.toString.call(value)}(${value.byteLength})`
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, into)).join()}]`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    const fields = Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1)
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${write(field, into)}`).join()}}`
  }
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (value instanceof Map) return `Map${write([...value], into)}`
  if (value instanceof Set) return `Set${write([...value], into)}`
  into.isWhole = false
  return value.constructor.name
}

const toKey = (text: string, parts: ReadonlyArray<Uint8Array>): Effect.Effect<string> =>
  parts.length === 0 && text.length <= longest
    ? Effect.succeed(text)
    : Effect.map(digest(text, parts), (hash) => `#${hash}`)

const digest = (text: string, parts: ReadonlyArray<Uint8Array>): Effect.Effect<string> => {
  const head = new TextEncoder().encode(text)
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, head.length))
  bytes.set(head)
  let offset = head.length
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (hash) => Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("")
  )
}
