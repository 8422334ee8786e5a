/**
 * The metrics of every edge between two services: who called what, how it ended, and how long it took.
 *
 * `chorale_call_duration_seconds` is a histogram by caller, callee, method and outcome, so it also counts the calls;
 * `chorale_calls_in_flight` is a gauge by callee and method.
 */
import { Cause, Context, Effect, Exit, type Fiber, Metric, type Scope } from "effect"
import * as ServiceError from "../ServiceError.ts"

/** The service on whose behalf a fiber runs; calls of the application itself have none. */
export const Caller = Context.Reference<string>("chorale/internal/Caller", { defaultValue: () => "application" })

/** In seconds: from a call in this process to a model that takes a minute. */
const boundaries = [
  0.000_1,
  0.000_25,
  0.000_5,
  0.001,
  0.002_5,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  60
]

const duration = (attributes: Metric.Metric.AttributeSet) =>
  Metric.histogram("chorale_call_duration_seconds", {
    description: "How long calls of services took, in seconds",
    attributes,
    boundaries
  })

const inFlight = Metric.gauge("chorale_calls_in_flight", { description: "Calls of services that have not ended" })

type Series = Metric.Metric<number, unknown>

/** Notes the end of a call. */
export type End = (exit: Exit.Exit<unknown, unknown>) => undefined

/**
 * Notes the beginning of a call, and gives what notes its end: to be called only when that is sure to happen, because a
 * fiber can be interrupted between any two operations.
 */
export type Begin = (fiber: Fiber.Fiber<unknown, unknown>) => End

/** Notes the calls of a method until the scope closes. The gauge is read when metrics are; a call does not pay for it. */
export const make = (callee: string, method: string): Effect.Effect<Begin, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<never>) => {
    let calls = 0
    const record = recorder(callee, method)
    const begin: Begin = (fiber) => {
      const start = performance.now()
      calls++
      return (exit) => {
        calls--
        record(fiber, exit, (performance.now() - start) / 1000)
        return undefined
      }
    }
    const running = Metric.withAttributes(inFlight, { callee, method })
    return Effect.acquireRelease(
      Effect.sync(() => Metric.registerUnsafe(running, context, { get: () => ({ value: calls }), ...noUpdates })),
      ({ remove }) => Effect.sync(remove)
    ).pipe(Effect.as(begin))
  })

const noUpdates = { update: () => undefined, modify: () => undefined }

/**
 * Series are metrics of their own, kept by caller and outcome: what a metric spends most on is the key of its attributes,
 * which it keeps for those that it was updated with last.
 */
const recorder = (callee: string, method: string) => {
  const byCaller = new Map<string, Map<string, Series>>()
  const seriesOf = (caller: string, outcome: string): Series => {
    let outcomes = byCaller.get(caller)
    if (outcomes === undefined) byCaller.set(caller, outcomes = new Map())
    let series = outcomes.get(outcome)
    if (series === undefined) {
      series = duration({ caller, callee, method, outcome })
      outcomes.set(outcome, series)
    }
    return series
  }
  return (fiber: Fiber.Fiber<unknown, unknown>, exit: Exit.Exit<unknown, unknown>, seconds: number) =>
    seriesOf(fiber.getRef(Caller), outcomeOf(exit)).updateUnsafe(seconds, fiber.context)
}

/** `success`, `error` where the model declared it, `defect`, `interrupted`, or the tag of a ServiceError's reason. */
const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  if (failure !== undefined) {
    return failure.error instanceof ServiceError.ServiceError ? failure.error.reason._tag : "error"
  }
  return Cause.hasDies(exit.cause) ? "defect" : "interrupted"
}
