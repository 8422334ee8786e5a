/**
 * JSON from outside: refused where it is no JSON in UTF-8, nests too deeply, or names a key that would reach the
 * prototype of an object it is copied into.
 */

/** What is wrong with a body, as a sentence. */
export class JsonError extends Error {}

/** A body that is no JSON at all. */
export class NoJson extends JsonError {}

/** The value of a body. Throws JsonError. */
export const parse = (bytes: Uint8Array, maxDepth: number): unknown => parseText(decode(bytes), maxDepth)

/** The value of a text. Throws JsonError. */
export const parseText = (text: string, maxDepth: number): unknown => {
  const value = toValue(text)
  // Few bodies can have what is refused, and what they lack is quicker found in their text than in their value.
  if (isSuspicious(text, maxDepth)) inspect(value, maxDepth)
  return value
}

const decoder = new TextDecoder("utf-8", { fatal: true })

const decode = (bytes: Uint8Array): string => {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new NoJson("the body is not valid JSON in UTF-8")
  }
}

const toValue = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new NoJson("the body is not valid JSON in UTF-8")
  }
}

/** Whether a text could hold a refused key, which an escape may hide, or more levels than the limit. */
const isSuspicious = (text: string, maxDepth: number): boolean =>
  text.includes("__proto__") || text.includes("constructor") || text.includes("\\u") ||
  hasMoreThan(text, "[", maxDepth / 2) || hasMoreThan(text, "{", maxDepth / 2)

const hasMoreThan = (text: string, bracket: string, limit: number): boolean => {
  let at = -1
  for (let found = 0; found <= limit; found++) {
    at = text.indexOf(bracket, at + 1)
    if (at === -1) return false
  }
  return true
}

/** Without recursion, so that what is deep cannot exhaust the stack. */
const inspect = (root: unknown, maxDepth: number): void => {
  let level = [root]
  for (let depth = 0; level.length > 0; depth++) {
    const next: Array<unknown> = []
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue
      if (depth >= maxDepth) throw new JsonError(`the body nests deeper than ${maxDepth} levels`)
      if (!Array.isArray(value)) refuseKeys(value)
      for (const inner of Object.values(value)) {
        if (typeof inner === "object" && inner !== null) next.push(inner)
      }
    }
    level = next
  }
}

const refuseKeys = (value: object): void => {
  if (Object.hasOwn(value, "__proto__")) throw new JsonError("the body has a key __proto__, which is refused")
  if (!Object.hasOwn(value, "constructor") || !("constructor" in value)) return
  const { constructor } = value
  if (typeof constructor === "object" && constructor !== null && Object.hasOwn(constructor, "prototype")) {
    throw new JsonError("the body has a key constructor.prototype, which is refused")
  }
}
