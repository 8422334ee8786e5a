/** Law 11: one trace. */
import { Effect } from "effect"
import { Probe, Relay, type SpanReport } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Recorder from "./recorder.ts"

const law = (name: string, check: Law["check"]): Law => lawsOf(11)(name, check, ["traces"])

type Report = typeof SpanReport.Type

/** Makes a call in a span of its own; gives what it answers, the span, and all spans that were made here. */
const traced = Effect.fnUntraced(function*<A, E>(call: Effect.Effect<A, E>, sampled = true) {
  const { spans, tracer } = Recorder.make()
  const { answer, span } = yield* Effect.all({ answer: call, span: Effect.orDie(Effect.currentSpan) }).pipe(
    Effect.withSpan("the caller", { sampled }, { captureStackTrace: false }),
    Effect.withTracer(tracer)
  )
  return { answer, span, spans }
})

/** Expects a handler to be below a span: directly, or with one span of the caller's side between. */
const isBelow = (
  report: Report,
  spanId: string,
  between: ReadonlyArray<{ readonly spanId: string; readonly parentId: string }>
) => {
  const clients = between.filter(({ parentId }) => parentId === spanId).map((client) => client.spanId)
  const [parent] = report.above
  return Expect.holds(
    parent === spanId || parent !== undefined && clients.includes(parent),
    `the handler's parent to be the span ${spanId} of its caller or a client span ${clients.join(", ")} below that`,
    `the spans above it: ${report.above.join(", ")}`
  )
}

/** Expects the span of a handler to have the name of its service, and of whatever method the call is there. */
const isNamed = (service: string, { name }: Report) =>
  Expect.holds(name.startsWith(`${service}.`), `a span in the handler whose name is that of ${service}`, name)

const nests = Effect.fnUntraced(function*({ probe }: Place) {
  const { answer, span, spans } = yield* traced(probe.span())
  yield* isNamed(Probe.key, answer)
  yield* Expect.same(span.traceId, answer.traceId, "the trace of the handler")
  yield* isBelow(answer, span.spanId, spans)
})

const nestsTwice = Effect.fnUntraced(function*({ relay }: Place) {
  const { answer: { between, here, there }, span, spans } = yield* traced(relay.span())
  yield* isNamed(Relay.key, here)
  yield* isNamed(Probe.key, there)
  yield* Expect.same([span.traceId, span.traceId], [here.traceId, there.traceId], "the traces of both hops")
  yield* isBelow(here, span.spanId, spans)
  yield* isBelow(there, here.spanId, between)
})

const keepsSampling = Effect.fnUntraced(function*({ probe }: Place) {
  for (const sampled of [true, false]) {
    const { answer } = yield* traced(probe.span(), sampled)
    yield* Expect.same(sampled, answer.sampled, "whether the span in the handler is sampled, as its caller's is")
  }
})

const keepsApart = Effect.fnUntraced(function*({ probe }: Place) {
  const reports = yield* Effect.replicateEffect(traced(probe.span()), 20, { concurrency: "unbounded" })
  for (const { answer, span } of reports) yield* Expect.same(span.traceId, answer.traceId, "the trace of the handler")
})

export const laws: ReadonlyArray<Law> = [
  law("the span of a handler is below the span of its caller, in one trace", nests),
  law("two hops are one trace, and the second hop is below the first", nestsTwice),
  law("a handler is sampled as its caller is", keepsSampling),
  law("calls at the same time keep their traces apart", keepsApart)
]
