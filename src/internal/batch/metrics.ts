/** What a batch tells of itself to Effect's metrics, once a run and never once a call. */
import { type Context, Metric } from "effect"
import type { Refusal } from "./dispatcher.ts"

const size = Metric.histogram("chorale_adaptive_batch_size", {
  description: "How many calls ran together.",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 11 })
})

const duration = Metric.histogram("chorale_batch_duration_seconds", {
  description: "How many seconds a run of several calls took.",
  boundaries: Metric.exponentialBoundaries({ start: 0.000_25, factor: 2, count: 18 })
})

const wait = Metric.histogram("chorale_batch_wait_seconds", {
  description: "How many seconds the call had waited that had waited longest when its run began.",
  boundaries: Metric.exponentialBoundaries({ start: 0.000_25, factor: 2, count: 18 })
})

const waiting = Metric.gauge("chorale_batch_waiting", {
  description: "How many calls waited when the last run began."
})

const refused = Metric.counter("chorale_batch_refused_total", {
  description: "How many calls were refused, by reason.",
  incremental: true
})

export const make = (name: string, context: Context.Context<never>) => {
  const batch = { batch: name }
  const ofThis = {
    size: Metric.withAttributes(size, batch),
    duration: Metric.withAttributes(duration, batch),
    wait: Metric.withAttributes(wait, batch),
    waiting: Metric.withAttributes(waiting, batch)
  }
  return {
    began(entries: ReadonlyArray<{ readonly arrived: number }>, started: number, left: number) {
      const first = entries.reduce((first, { arrived }) => Math.min(first, arrived), started)
      ofThis.size.updateUnsafe(entries.length, context)
      ofThis.wait.updateUnsafe((started - first) / 1000, context)
      ofThis.waiting.updateUnsafe(left, context)
    },
    ended(millis: number) {
      ofThis.duration.updateUnsafe(millis / 1000, context)
    },
    refused(refusal: Refusal) {
      Metric.withAttributes(refused, { ...batch, reason: refusal._tag }).updateUnsafe(1, context)
    }
  }
}
