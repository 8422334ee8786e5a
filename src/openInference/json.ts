/** JSON in which integers beyond 2^53 keep their digits. */
import * as Json from "../http/json.ts"
import { invalid } from "./refusal.ts"

/** The object that a text is; such integers are bigints where the platform can tell. Throws Refusal. */
export const parse = (text: Uint8Array, maxDepth: number): Readonly<Record<string, unknown>> => {
  const value = toValue(text, maxDepth)
  if (!isRecord(value)) throw invalid("the request is no JSON object")
  return value
}

const toValue = (bytes: Uint8Array, maxDepth: number): unknown => {
  try {
    const value = Json.parse(bytes, maxDepth)
    const text = decoder.decode(bytes)
    return hasWideIntegers.test(text) && hasWideDatatype.test(text) ? JSON.parse(text, keepDigits) : value
  } catch (error) {
    throw error instanceof Json.JsonError ? invalid(error.message) : error
  }
}

const decoder = new TextDecoder()

const hasWideIntegers = /\d{16}/

const hasWideDatatype = /INT64/

/** Node 20 has no third argument; there, such an integer stays a number, and is refused as an element. */
const keepDigits = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === "number" && !Number.isSafeInteger(value) && context?.source !== undefined &&
    integer.test(context.source)
    ? BigInt(context.source)
    : value

/** As many digits as any element has. */
const integer = /^-?\d{16,20}$/

export const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)
