/** Where two values differ, down to what `===` and JSON do not tell apart. */

/** The first place where the second value is not the first, and nothing where there is none. */
export const find = (expected: unknown, seen: unknown, at = "the value"): string | undefined => {
  if (Object.is(expected, seen)) return undefined
  if (!isObject(expected) || !isObject(seen)) return `${at} is ${show(seen)}, not ${show(expected)}`
  if (Object.getPrototypeOf(expected) !== Object.getPrototypeOf(seen)) {
    return `${at} is ${kindOf(seen)}, not ${kindOf(expected)}`
  }
  if (expected instanceof Date && seen instanceof Date) return find(expected.getTime(), seen.getTime(), at)
  if (ArrayBuffer.isView(expected) && ArrayBuffer.isView(seen)) return findInBytes(expected, seen, at)
  return findInFields(expected, seen, at)
}

const findInBytes = (expected: ArrayBufferView, seen: ArrayBufferView, at: string): string | undefined => {
  const [left, right] = [bytesOf(expected), bytesOf(seen)]
  if (left.byteLength !== right.byteLength) return `${at} has ${right.byteLength} bytes, not ${left.byteLength}`
  const index = left.findIndex((byte, index) => byte !== right[index])
  return index === -1 ? undefined : `byte ${index} of ${at} is ${right[index]}, not ${left[index]}`
}

const bytesOf = ({ buffer, byteLength, byteOffset }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength)

const findInFields = (expected: object, seen: object, at: string): string | undefined => {
  const fields = fieldsOf(expected)
  const missing = fields.find((field) => !Object.hasOwn(seen, field))
  if (missing !== undefined) return `${at} has no ${String(missing)}`
  const added = fieldsOf(seen).find((field) => !Object.hasOwn(expected, field))
  if (added !== undefined) return `${at} has a ${String(added)}`
  for (const field of fields) {
    const found = find(Reflect.get(expected, field), Reflect.get(seen, field), `${String(field)} of ${at}`)
    if (found !== undefined) return found
  }
  return undefined
}

// The stack of an error is where it was made, which is another place for one that has travelled.
const fieldsOf = (value: object): ReadonlyArray<string | symbol> =>
  Reflect.ownKeys(value).filter((field) =>
    !(value instanceof Error && (field === "stack" || typeof field === "symbol"))
  )

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

const kindOf = (value: object): string => value.constructor?.name ?? "an object without a class"

/** A value in a sentence. */
export const show = (value: unknown): string => {
  if (typeof value === "bigint") return `${value}n`
  if (Object.is(value, -0)) return "-0"
  if (typeof value === "string") return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}...` : value)
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (Array.isArray(value)) return `[${value.slice(0, 20).map(show).join(", ")}${value.length > 20 ? ", ..." : ""}]`
  return isObject(value) ? kindOf(value) : String(value)
}
