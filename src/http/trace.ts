/** The trace of a call in the requests that it makes. */
import { Context, Effect, type Fiber, Function, Tracer } from "effect"
import { HttpClient } from "effect/http"

/** The same client, without spans of its own: the span of a call tells what one of its request would. */
export const withoutSpans = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(
    client,
    (effect) => Effect.provideService(effect, HttpClient.TracerDisabledWhen, Function.constTrue)
  )

/** The header by which a server goes on with the trace of a span: that of the call, or the one that the fiber is in. */
export const headerOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span?: Tracer.Span
): { readonly traceparent?: string } => {
  const parent = span ?? Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  return parent === undefined
    ? {}
    : { traceparent: `00-${parent.traceId}-${parent.spanId}-${parent.sampled ? "01" : "00"}` }
}
