/**
 * What a call carries over a hop beside its payload, as headers of its request: the trace (W3C Trace Context), what is
 * left of the deadline in milliseconds, and the fingerprint of the method as its caller knows it.
 */
import { Context, Duration, type Fiber, Option, Tracer } from "effect"
import { type Headers, HttpTraceContext } from "effect/http"
import * as Deadline from "../Deadline.ts"

const traceparent = "traceparent"
/** Under which a call carries what is left of its deadline, in milliseconds. */
export const deadlineHeader = "chorale-deadline"
const contractHeader = "chorale-contract"

/** The headers of a call that this fiber makes. */
export const write = (
  fiber: Fiber.Fiber<unknown, unknown>,
  fingerprint: string,
  span: Tracer.Span | undefined
): Record<string, string> => {
  const headers: Record<string, string> = { [contractHeader]: fingerprint }
  const parent = span ?? Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (parent !== undefined) {
    headers[traceparent] = `00-${parent.traceId}-${parent.spanId}-${parent.sampled ? "01" : "00"}`
  }
  const deadline = fiber.getRef(Deadline.Current)
  if (deadline !== undefined) headers[deadlineHeader] = String(Math.max(0, deadline.at - Deadline.now(fiber)))
  return headers
}

/** The fingerprint that the caller sent, if it did. */
export const fingerprint = (headers: Headers.Headers): string | undefined => headers[contractHeader]

/** The context of a fiber that answers a call with these headers. */
export const read = <R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  headers: Headers.Headers,
  context: Context.Context<R>
): Context.Context<R> => {
  let result = context
  if (traceparent in headers) {
    const parent = HttpTraceContext.w3c(headers)
    if (Option.isSome(parent)) result = Context.add(result, Tracer.ParentSpan, parent.value)
  }
  const left = Number(headers[deadlineHeader] ?? NaN)
  return left >= 0 ? Context.add(result, Deadline.Current, Deadline.fromNow(fiber, Duration.millis(left))) : result
}
