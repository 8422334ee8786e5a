/** A limit that finds out by itself how many calls a service runs best at a time. */
import { Cause, Duration, Effect, Exit, Option } from "effect"
import * as ServiceError from "../ServiceError.ts"
import { around, Gate, type Options as GateOptions } from "./gate.ts"
import { Gradient } from "./gradient.ts"
import { Priority, type QueueOrder, requireWhole } from "./limit.ts"
import * as Policy from "./policy.ts"
import * as QueueMetrics from "./queueMetrics.ts"

/**
 * Between which limits the right one is looked for, and how many calls may wait.
 *
 * @category models
 * @since 0.2.0
 */
export interface AdaptiveLimitOptions<Method extends string> {
  /** The limit to begin with: 8, or what `min` and `max` allow; a half of it until the first latencies are known. */
  readonly initial?: number
  /** The lowest limit: 1. */
  readonly min?: number
  /** The highest limit: 256. */
  readonly max?: number
  /** By what part latency may rise above that without a queue before the limit falls: 0.1. */
  readonly tolerance?: number
  /** How often the latency without a queue is measured again: every 30 seconds. */
  readonly probeEvery?: Duration.Input
  /** How many more may wait: none, unless it is given. */
  readonly queue?: number
  /** `"fifo"`, unless it is given. */
  readonly order?: QueueOrder
  /** The methods that share the limit: all of the service, unless they are given. */
  readonly methods?: ReadonlyArray<Method>
}

/**
 * Runs as many calls at a time as the service can without a long queue of its own, which it learns from their latency.
 *
 * The limit falls when latency rises above what it is without a queue, and when the service itself answers `Overloaded`
 * or a call misses its deadline; it rises while latency stays. Every `probeEvery` the limit is halved for as many calls
 * as it takes to measure the latency without a queue again, so a service that has become slower or faster for good is
 * recognised. Calls wait and are refused as with `limit`. Streams take a permit, and are not measured.
 *
 * The algorithm is the gradient controller of Envoy's adaptive concurrency filter.
 *
 * @category policies
 * @since 0.2.0
 */
export const adaptiveLimit = <const Method extends string = never>(
  options: AdaptiveLimitOptions<Method> = {}
): Policy.Policy<Method> => {
  const { max = 256, min = 1, order = "fifo", probeEvery = "30 seconds", queue = 0, tolerance = 0.1 } = options
  const initial = options.initial ?? Math.min(max, Math.max(min, 8))
  requireWhole("adaptiveLimit", "min", min, 1)
  requireWhole("adaptiveLimit", "max", max, min)
  requireWhole("adaptiveLimit", "initial", initial, min)
  requireWhole("adaptiveLimit", "queue", queue, 0)
  const probeMillis = Duration.toMillis(Duration.fromInputUnsafe(probeEvery))
  return Policy.make("adaptiveLimit", options, (service) =>
    Effect.suspend(() => {
      const gradient = new Gradient({ initial: Math.min(initial, max), min, max, tolerance, probeMillis })
      const onLeave: GateOptions["onLeave"] = (gate, call, now, exit) => {
        const dropped = isDrop(service.key, exit)
        if (call.method.stream || !(dropped || isAnswer(exit))) return
        gradient.add({ now, millis: now - call.since, running: gate.taken + 1, dropped })
        gate.permits = gradient.limit
      }
      return Effect.map(
        QueueMetrics.watch(
          { service: service.key, policy: "adaptiveLimit", methods: options.methods?.join() ?? "all" },
          (onTurn) => new Gate({ permits: gradient.limit, queue, lastFirst: order === "lifo", onLeave, onTurn })
        ),
        (gate) => around(gate, service.key, 1, order === "priority" ? (fiber) => fiber.getRef(Priority) : () => 0)
      )
    }))
}

/** Whether the service was too busy for a call: it refused it, or did not finish it in time. */
const isDrop = (service: string, exit: Exit.Exit<unknown, unknown>): boolean => {
  const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
  return Option.isSome(error) && error.value instanceof ServiceError.ServiceError && error.value.service === service &&
    (error.value.reason._tag === "Overloaded" || error.value.reason._tag === "DeadlineExceeded")
}

/** Whether the service did the work: a result, or an error of the model. */
const isAnswer = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) && !(error.value instanceof ServiceError.ServiceError)
}
