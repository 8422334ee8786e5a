/** `chorale bench`: how long calls of a method take under load, and where the time goes. */
import { Effect, Option, Tracer } from "effect"
import { Command, Flag } from "effect/cli"
import * as Deployment from "../Deployment.ts"
import * as Load from "./bench/load.ts"
import * as Report from "./bench/report.ts"
import { method } from "./call.ts"
import * as Callee from "./callee.ts"
import { fail } from "./ExitCode.ts"
import * as Files from "./files.ts"
import * as Flags from "./flags.ts"
import { print, width } from "./output.ts"
import * as Payload from "./payload.ts"

const positive = (name: string, description: string) =>
  Flag.Finite(name).pipe(
    Flag.withDescription(description),
    Flag.filter((value) => value > 0, (value) => `Expected more than 0, got: ${value}`)
  )

export const bench = Command.make("bench", {
  method,
  payload: Payload.payload,
  ...Flags.deployment,
  url: Flags.url,
  placement: Flags.placement,
  startTimeout: Flags.startTimeout,
  rate: positive("rate", "Calls a second, whether earlier ones have ended or not: as many as can be").pipe(
    Flag.withMetavar("calls"),
    Flag.optional
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withMetavar("calls"),
    Flag.withDescription("The most calls at a time: 1, or with a rate no limit"),
    Flag.filter((value) => value > 0, (value) => `Expected more than 0, got: ${value}`),
    Flag.optional
  ),
  duration: positive("duration", "How long it calls: 10 seconds").pipe(
    Flag.withMetavar("seconds"),
    Flag.withDefault(10)
  ),
  warmup: Flag.Finite("warmup").pipe(
    Flag.withMetavar("seconds"),
    Flag.withDescription("How long it calls before, without measuring: 1 second"),
    Flag.filter((value) => value >= 0, (value) => `Expected 0 or more, got: ${value}`),
    Flag.withDefault(1)
  ),
  spans: Flag.String("spans").pipe(
    Flag.withMetavar("file"),
    Flag.withDescription("Where the spans of the calls are written, for chorale graph --observed"),
    Flag.optional
  ),
  json: Flags.json
}, ({ concurrency, duration, json, method, payload, rate, spans: file, warmup, ...options }) =>
  Effect.gen(function*() {
    if (Option.isSome(file) && Option.isSome(options.url)) {
      return yield* fail("usage", "--spans is for a deployment that runs in here: leave --url out")
    }
    const body = yield* Payload.read(payload)
    const recorder = makeRecorder()
    const callee = yield* Effect.provideService(Callee.find(method, options), Tracer.Tracer, recorder.tracer)
    const load = { rate: Option.getOrUndefined(rate), concurrency: Option.getOrUndefined(concurrency) }
    const call = once(callee, body)
    if (warmup > 0) yield* Load.run(call, { ...load, duration: warmup * 1000 })
    recorder.begin()
    const outcome = yield* Load.run(call, { ...load, duration: duration * 1000 })
    const spans = recorder.spans()
    yield* report(callee.name, outcome, spans, json)
    if (Option.isSome(file)) yield* Files.write(file.value, Deployment.toSpanFile(spans))
    if (!outcome.outcomes.has("ok")) return yield* fail("failed", `no call of ${callee.name} succeeded`)
  }).pipe(Effect.scoped)).pipe(
    Command.withDescription("Calls a method for a time and prints how long that took, and where the time went."),
    Command.withExamples([
      { command: `chorale bench Hello.hello '{"name":"you"}' --concurrency 8`, description: "8 calls at a time" },
      { command: `chorale bench Ocr.read @page.png --rate 20 --url http://127.0.0.1:3000`, description: "20 a second" },
      {
        command: `chorale bench Ocr.read @page.png --spans spans.json`,
        description: "Keep what graph --observed draws"
      }
    ])
  )

/** The whole answer is read; how it ended is the status or the tag of its error. */
const once = ({ send }: Callee.Callee, body: Callee.Body): Effect.Effect<string> =>
  send(body).pipe(
    Effect.flatMap((response) =>
      Effect.map(Effect.promise(() => response.text()), (text) =>
        response.ok ? "ok" : tagOf(text) ?? `${response.status}`)
    ),
    Effect.catchCause(() =>
      Effect.succeed("no answer")
    )
  )

const tagOf = (text: string): string | undefined => /^\{"_tag":"([^"]+)"/.exec(text)?.[1]

const report = Effect.fnUntraced(function*(
  name: string,
  outcome: Load.Outcome,
  spans: ReadonlyArray<Deployment.RecordedSpan>,
  json: boolean
) {
  const summary = Report.summarize(outcome)
  const stages = Report.stages(spans)
  const path = Deployment.criticalPath(spans)
  yield* print(json, { method: name, ...summary, stages, criticalPath: path }, () =>
    [
      Report.drawSummary(summary),
      Report.drawHistogram(outcome.latencies, width()),
      ...(spans.length === 0
        ? ["Where the time went is known for a deployment that runs in here: leave --url out."]
        : [Report.drawStages(stages), Deployment.drawCriticalPath(path)])
    ].join("\n\n"))
})

/** The spans of whole requests, as many as can be looked at. */
const makeRecorder = () => {
  let spans: Array<Tracer.NativeSpan> | undefined
  return {
    begin: () => {
      spans = []
    },
    spans: () => adopt(spans ?? []),
    tracer: Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        if (spans !== undefined && spans.length < mostSpans) spans.push(span)
        return span
      }
    })
  }
}

const mostSpans = 200_000

/**
 * A call that comes back from another process has a parent there, whose span is not here: it belongs to the call that
 * went there, which is the last one of its trace that had begun.
 */
const adopt = (spans: ReadonlyArray<Tracer.NativeSpan>): ReadonlyArray<Deployment.RecordedSpan> => {
  const traces = Map.groupBy(spans, ({ traceId }) => traceId)
  const traceOf = new Map(spans.map(({ spanId, traceId }) => [spanId, traceId]))
  const recorded = new Map(Deployment.fromSpans(spans).map((span) => [span.id, span]))
  return Array.from(recorded.values(), (span) => {
    if (span.parent === undefined || recorded.has(span.parent)) return span
    const around = (traces.get(traceOf.get(span.id) ?? "") ?? []).flatMap(({ spanId }) => recorded.get(spanId) ?? [])
      .filter(({ end, id, start }) => id !== span.id && start <= span.start && span.end <= end)
      .toSorted((a, b) => b.start - a.start)
    const { parent: _, ...orphan } = span
    return around[0] === undefined ? orphan : { ...orphan, parent: around[0].id }
  })
}
