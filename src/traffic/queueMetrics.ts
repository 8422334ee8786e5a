/**
 * The metrics of the queue before a service: how many calls wait for their turn, and how long those that had to wait
 * have waited.
 *
 * `chorale_queue_length` is a gauge and `chorale_queue_wait_seconds` a histogram, both by service and policy.
 */
import { Effect, Metric, type Scope } from "effect"
import type { Gate, Options } from "./gate.ts"

const length = Metric.gauge("chorale_queue_length", { description: "Calls that wait for their turn" })

const wait = Metric.histogram("chorale_queue_wait_seconds", {
  description: "How long calls that had to wait for their turn have waited, in seconds",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
})

/** A gate whose queue shows in the metrics until the scope closes. Its length is read when they are. */
export const watch = (
  attributes: { readonly service: string; readonly policy: string; readonly methods: string },
  make: (onTurn: NonNullable<Options["onTurn"]>) => Gate
): Effect.Effect<Gate, never, Scope.Scope> =>
  Effect.contextWith((context) => {
    const waited = Metric.withAttributes(wait, attributes)
    const gate = make((millis) => waited.updateUnsafe(millis / 1000, context))
    const state = { get: () => ({ value: gate.queued }), update: () => undefined, modify: () => undefined }
    return Effect.acquireRelease(
      Effect.sync(() => Metric.registerUnsafe(Metric.withAttributes(length, attributes), context, state)),
      ({ remove }) => Effect.sync(remove)
    ).pipe(Effect.as(gate))
  })
