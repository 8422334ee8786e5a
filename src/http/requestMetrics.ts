/**
 * The metrics of an HTTP server: requests by route and status, how long they took, and what was refused or given up.
 *
 * `chorale_request_total` and `chorale_request_duration_seconds` are by route and status, `chorale_request_in_progress`
 * by route, `chorale_rejected_total` by reason, and `chorale_cancelled_total` by cause. `chorale_deadline_remaining_seconds`
 * is of the requests whose callers say how long they may take.
 */
import { type Context, Effect, Metric, type Scope } from "effect"

/** In seconds. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180]

const total = Metric.counter("chorale_request_total", {
  description: "HTTP requests that were answered",
  incremental: true
})

const duration = Metric.histogram("chorale_request_duration_seconds", {
  description: "How long HTTP requests took until their answer was there, a stream until its end, in seconds",
  boundaries
})

const inProgress = Metric.gauge("chorale_request_in_progress", { description: "HTTP requests without an answer yet" })

const rejected = Metric.counter("chorale_rejected_total", {
  description: "HTTP requests that were refused for another reason than an error of a model",
  incremental: true
})

const cancelled = Metric.counter("chorale_cancelled_total", {
  description: "HTTP requests that were given up before their answer was there",
  incremental: true
})

const remaining = Metric.histogram("chorale_deadline_remaining_seconds", {
  description: "How much time HTTP requests had when they arrived whose callers gave them a deadline, in seconds",
  boundaries
})

/** Notes how much time a request has. */
export const recordRemaining = (seconds: number, context: Context.Context<never>): void =>
  remaining.updateUnsafe(seconds, context)

/** The series of one route. */
export interface Route {
  readonly name: string
  running: number
  /** Notes an answer. */
  readonly record: (status: number, seconds: number, context: Context.Context<never>) => void
}

export const route = (name: string): Route => {
  const byStatus = new Map<number, ReturnType<typeof seriesOf>>()
  return {
    name,
    running: 0,
    record: (status, seconds, context) => {
      let series = byStatus.get(status)
      if (series === undefined) byStatus.set(status, series = seriesOf(name, status))
      series.total.updateUnsafe(1, context)
      series.duration.updateUnsafe(seconds, context)
    }
  }
}

const seriesOf = (route: string, status: number) => {
  const attributes = { route, status: String(status) }
  return { total: Metric.withAttributes(total, attributes), duration: Metric.withAttributes(duration, attributes) }
}

/** Shows how many requests of a route are in progress, until the scope closes. It is read when metrics are. */
export const register = (route: Route): Effect.Effect<void, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        Metric.registerUnsafe(Metric.withAttributes(inProgress, { route: route.name }), context, {
          get: () => ({ value: route.running }),
          update: () => undefined,
          modify: () => undefined
        })
      ),
      ({ remove }) => Effect.sync(remove)
    )
  ).pipe(Effect.asVoid)

const counts = (metric: typeof rejected, attribute: string) => {
  const series = new Map<string, typeof metric>()
  return (value: string, context: Context.Context<never>): void => {
    let one = series.get(value)
    if (one === undefined) series.set(value, one = Metric.withAttributes(metric, { [attribute]: value }))
    one.updateUnsafe(1, context)
  }
}

/** Notes a refusal by its tag. */
export const recordRejected = counts(rejected, "reason")

/** Why a request was given up: its client went away, its deadline was over, or the server stopped. */
export type CancelCause = "client" | "deadline" | "shutdown"

export const recordCancelled: (cause: CancelCause, context: Context.Context<never>) => void = counts(cancelled, "cause")
