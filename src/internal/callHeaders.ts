/**
 * What a call carries over a hop beside its payload, as headers of its request: the trace (W3C Trace Context), what is
 * left of the deadline in milliseconds, and the fingerprint of the method as its caller knows it.
 */
import { Context, Duration, type Fiber, Option, Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"
import type { RpcMessage } from "effect/rpc"
import * as Deadline from "../Deadline.ts"

const traceparent = "traceparent"
/** Under which a call carries what is left of its deadline, in milliseconds. */
export const deadlineHeader = "chorale-deadline"
const contractHeader = "chorale-contract"

/** What came with a call, as its caller wrote it. */
export interface Carried {
  readonly fingerprint: string | undefined
  readonly traceparent: string | undefined
  readonly deadline: string | undefined
}

/** The headers of a call that this fiber makes. */
export const write = (
  fiber: Fiber.Fiber<unknown, unknown>,
  fingerprint: string,
  span: Tracer.Span | undefined
): Array<[string, string]> => {
  const headers: Array<[string, string]> = [[contractHeader, fingerprint]]
  const parent = span ?? Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (parent !== undefined) {
    headers.push([traceparent, `00-${parent.traceId}-${parent.spanId}-${parent.sampled ? "01" : "00"}`])
  }
  const deadline = fiber.getRef(Deadline.Current)
  if (deadline !== undefined) {
    headers.push([deadlineHeader, String(Math.max(0, deadline.at - Deadline.now(fiber)))])
  }
  return headers
}

/** What the headers of a request carry; those of others are left alone. */
export const carriedBy = (headers: RpcMessage.RequestEncoded["headers"]): Carried => {
  let fingerprint: string | undefined
  let parent: string | undefined
  let deadline: string | undefined
  for (const [name, value] of headers) {
    if (name === contractHeader) fingerprint = value
    else if (name === traceparent) parent = value
    else if (name === deadlineHeader) deadline = value
  }
  return { fingerprint, traceparent: parent, deadline }
}

/** The same for headers that have been read. */
export const carriedIn = (headers: Headers.Headers): Carried => ({
  fingerprint: headers[contractHeader],
  traceparent: headers[traceparent],
  deadline: headers[deadlineHeader]
})

/** The context of a fiber that answers a call with what it carried. */
export const read = <R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  carried: Carried,
  context: Context.Context<R>
): Context.Context<R> => {
  let result = context
  const parent = carried.traceparent === undefined ? undefined : parentOf(carried.traceparent)
  if (parent !== undefined) result = Context.add(result, Tracer.ParentSpan, parent)
  const left = Number(carried.deadline ?? NaN)
  return left >= 0 ? Context.add(result, Deadline.Current, Deadline.fromNow(fiber, Duration.millis(left))) : result
}

/** The span that a `traceparent` names: what this library writes is read at once, all else as W3C has it. */
const parentOf = (text: string): Tracer.AnySpan | undefined => {
  const parts = written.exec(text)
  return parts === null
    ? Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromInput({ [traceparent]: text })))
    : Tracer.externalSpan({ traceId: parts[1]!, spanId: parts[2]!, sampled: parts[3] === "01" })
}

const written = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-(0[01])$/
