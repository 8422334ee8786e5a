/**
 * The messages of most calls in few characters: a request and a result as arrays, in which the place says what is what.
 *
 * What an envelope holds is read and written for every call; the names of its fields would be more than half of that.
 */
import type { RpcMessage } from "effect/rpc"

type Request = readonly [0, id: unknown, tag: unknown, headers: unknown, payload?: unknown]
type Result = readonly [1, requestId: unknown, value?: unknown]

/** A message in its short form. */
export type Short = Request | Result

/** A message as an array; nothing where it holds more than a request or a result does. */
export const shorten = (message: unknown): Short | undefined => {
  if (isRequest(message)) {
    const { headers, id, payload, tag } = message
    return payload === undefined ? [0, id, tag, headers] : [0, id, tag, headers, payload]
  }
  if (isResult(message)) {
    const { exit: { value }, requestId } = message
    return value === undefined ? [1, requestId] : [1, requestId, value]
  }
  return undefined
}

/** The message that such an array stands for; nothing where it stands for none. */
export const expand = (short: ReadonlyArray<unknown>): object | undefined => {
  if (short[0] === 0 && (short.length === 5 || short.length === 4)) {
    return { _tag: "Request", id: short[1], tag: short[2], payload: short[4], headers: short[3] }
  }
  if (short[0] === 1 && (short.length === 3 || short.length === 2)) {
    return { _tag: "Exit", requestId: short[1], exit: { _tag: "Success", value: short[2] } }
  }
  return undefined
}

const isRequest = (u: unknown): u is RpcMessage.RequestEncoded =>
  hasTag(u, "Request") && Object.keys(u).length === 5 && "payload" in u && "headers" in u && "tag" in u

const isResult = (u: unknown): u is { readonly requestId: unknown; readonly exit: { readonly value: unknown } } =>
  hasTag(u, "Exit") && "exit" in u && hasTag(u.exit, "Success") && Object.keys(u).length === 3 &&
  Object.keys(u.exit).length === 2

const hasTag = (u: unknown, tag: string): u is object =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === tag
