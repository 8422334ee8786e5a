/**
 * A result as it travels: its value, and how long the callee worked on it where the caller asked for a trace.
 *
 * The RPC messages around it know nothing of what they carry: both ends encode and decode by the contract themselves,
 * so that what does not fit is an error of the call, with the place where it does not.
 */
export interface Answer {
  readonly value?: unknown
  readonly times?: Times
}

/** Milliseconds that the callee spent on decoding the payload, on its handler, and on encoding the result. */
export interface Times {
  readonly decode: number
  readonly execute: number
  readonly encode: number
}

/** Whether something that arrived is an answer. */
export const isAnswer = (u: unknown): u is Answer =>
  typeof u === "object" && u !== null && (!("times" in u) || isTimes(u.times))

const isTimes = (u: unknown): u is Times =>
  typeof u === "object" && u !== null &&
  ["decode", "execute", "encode"].every((part) => typeof Reflect.get(u, part) === "number")
