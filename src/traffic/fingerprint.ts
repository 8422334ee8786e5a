/** The key of a payload: the same for equal payloads, and another for any other. */
import { Effect, Schema } from "effect"
import { codecFor } from "../internal/bytesCodec.ts"
import type * as Model from "../Model.ts"

/** Above this many characters or bytes, a payload is known by its SHA-256. */
const longest = 256

/** Encodes a payload that fits the contract, and makes one string of it. */
export const make = (method: Model.Definition): (payload: unknown) => Effect.Effect<string> => {
  const encode = Schema.encodeEffect(codecFor(method.payload))
  return (payload) =>
    Effect.flatMap(Effect.orDie(encode(payload)), (encoded) => {
      const parts: Array<Uint8Array> = []
      const text = write(encoded, parts)
      return parts.length === 0 && text.length <= longest
        ? Effect.succeed(`${method.name} ${text}`)
        : Effect.map(digest(text, parts), (digest) => `${method.name} #${digest}`)
    })
}

/** JSON with the keys of objects in order, -0 as such, and bytes outside of it; what differs is written differently. */
const write = (value: unknown, parts: Array<Uint8Array>): string => {
  if (value instanceof Uint8Array) {
    parts.push(value)
    return `bytes(${value.length})`
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, parts)).join()}]`
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined).toSorted(([a], [b]) =>
      a < b ? -1 : 1
    )
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${write(field, parts)}`).join()}}`
  }
  return Object.is(value, -0) ? "-0" : JSON.stringify(value) ?? "undefined"
}

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
