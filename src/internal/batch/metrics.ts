/** What a batch tells of itself to Effect's metrics, once a run and never once a call. */
import { type Context, Metric } from "effect"
import type { Refusal } from "./dispatcher.ts"

const millisUpwards = Metric.exponentialBoundaries({ start: 0.000_25, factor: 2, count: 18 })

type Attributes = Metric.Metric.AttributeSet

const sizeOf = (attributes: Attributes) =>
  Metric.histogram("chorale_adaptive_batch_size", {
    description: "How many calls ran together.",
    attributes,
    boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 11 })
  })

const durationOf = (attributes: Attributes) =>
  Metric.histogram("chorale_batch_duration_seconds", {
    description: "How many seconds a run of several calls took.",
    attributes,
    boundaries: millisUpwards
  })

const waitOf = (attributes: Attributes) =>
  Metric.histogram("chorale_batch_wait_seconds", {
    description: "How many seconds the call had waited that had waited longest when its run began.",
    attributes,
    boundaries: millisUpwards
  })

const waitingOf = (attributes: Attributes) =>
  Metric.gauge("chorale_batch_waiting", {
    description: "How many calls waited when the last run began.",
    attributes
  })

const refusedOf = (attributes: Attributes) =>
  Metric.counter("chorale_batch_refused_total", {
    description: "How many calls were refused, by reason.",
    attributes,
    incremental: true
  })

/** Each batch has metrics of its own: to find one by its attributes for every run costs more than to update it. */
export const make = (batch: string, context: Context.Context<never>) => {
  const size = sizeOf({ batch })
  const duration = durationOf({ batch })
  const wait = waitOf({ batch })
  const waiting = waitingOf({ batch })
  return {
    began(entries: ReadonlyArray<{ readonly arrived: number }>, started: number, left: number) {
      const first = entries.reduce((first, { arrived }) => Math.min(first, arrived), started)
      size.updateUnsafe(entries.length, context)
      wait.updateUnsafe((started - first) / 1000, context)
      waiting.updateUnsafe(left, context)
    },
    ended(millis: number) {
      duration.updateUnsafe(millis / 1000, context)
    },
    refused(refusal: Refusal) {
      refusedOf({ batch, reason: refusal._tag }).updateUnsafe(1, context)
    }
  }
}
