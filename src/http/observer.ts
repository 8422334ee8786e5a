/** Follows requests from their arrival to the end of their answer, for the metrics and the access log. */
import { Cause, Context, Duration, Effect, type Exit, type Fiber, Scope, Tracer } from "effect"
import { HttpRouter, HttpServerError, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import type * as Deadline from "../Deadline.ts"
import type * as AccessLog from "./accessLog.ts"
import * as Answer from "./answer.ts"
import * as Metrics from "./requestMetrics.ts"

type Response = HttpServerResponse.HttpServerResponse
type AnyFiber = Fiber.Fiber<unknown, unknown>

/** A request that has no answer yet. */
export interface Arrival {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly path: string
  readonly route: Metrics.Route
  /** In milliseconds of the monotonic clock. */
  readonly start: number
  onEnd: (() => void) | undefined
}

export interface Observer {
  readonly begin: (request: HttpServerRequest.HttpServerRequest, path: string) => Arrival
  /** The request has a deadline from its caller. */
  readonly timed: (fiber: AnyFiber, deadline: Deadline.Deadline) => void
  /** A stream has its end when the last of it is sent, any other answer is all there. */
  readonly answered: (fiber: AnyFiber, arrival: Arrival, response: Response) => Effect.Effect<Response>
  /** The client went away before there was an answer. */
  readonly abandoned: (fiber: AnyFiber, arrival: Arrival) => void
}

export const make = (options: {
  /** The series of paths that have some of their own. */
  readonly routes: ReadonlyMap<string, Metrics.Route>
  /** The series of all other paths. */
  readonly other: Metrics.Route
  readonly metrics: boolean
  readonly log: AccessLog.Write | undefined
}): Observer => {
  const named = new Map<string, Metrics.Route>()
  /** Routes of others in the same router are known once the router has found them. */
  const seriesOf = (fiber: AnyFiber, { route }: Arrival): Metrics.Route => {
    if (route !== options.other) return route
    const path = Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path
    if (path === undefined || path === "/*") return route
    let series = named.get(path)
    if (series === undefined) named.set(path, series = Metrics.route(path))
    return series
  }
  const end = (fiber: AnyFiber, arrival: Arrival, status: number, refusal: string | undefined) => {
    const milliseconds = performance.now() - arrival.start
    arrival.onEnd?.()
    arrival.route.running--
    if (options.metrics) {
      seriesOf(fiber, arrival).record(status, milliseconds / 1000, fiber.context)
      if (refusal !== undefined) Metrics.recordRejected(refusal, fiber.context)
      if (refusal === "DeadlineExceeded") Metrics.recordCancelled("deadline", fiber.context)
    }
    options.log?.(entryOf(fiber, arrival, status, milliseconds), fiber.context)
  }
  const cancel = (fiber: AnyFiber, cause: Metrics.CancelCause) => {
    if (options.metrics) Metrics.recordCancelled(cause, fiber.context)
  }
  return {
    begin: (request, path) => {
      const route = options.routes.get(path) ?? options.other
      route.running++
      return { request, path, route, start: performance.now(), onEnd: undefined }
    },
    timed: (fiber, { budget }) => {
      if (options.metrics) Metrics.recordRemaining(Duration.toSeconds(budget), fiber.context)
    },
    answered: (fiber, arrival, response) => {
      const refusal = Answer.refusalOf(response)
      if (response.body._tag !== "Stream") {
        end(fiber, arrival, response.status, refusal)
        return Effect.succeed(response)
      }
      const onEnd = (exit: Exit.Exit<unknown, unknown>) =>
        Effect.sync(() => {
          const given = cancelCause(exit)
          if (given !== undefined) cancel(fiber, given)
          end(fiber, arrival, response.status, refusal)
        })
      const scope = Context.getOrUndefined(fiber.context, Scope.Scope)
      return scope === undefined
        ? Effect.succeed(response)
        : Effect.as(Scope.addFinalizerExit(scope, onEnd), response)
    },
    abandoned: (fiber, arrival) => {
      cancel(fiber, "client")
      end(fiber, arrival, 499, undefined)
    }
  }
}

/** Why a stream was broken off, where it was. */
const cancelCause = (exit: Exit.Exit<unknown, unknown>): Metrics.CancelCause | undefined => {
  if (exit._tag === "Success" || !Cause.hasInterrupts(exit.cause)) return undefined
  const isClient = exit.cause.reasons.some((reason) => reason.annotations.has(HttpServerError.ClientAbort.key))
  return isClient ? "client" : "shutdown"
}

const entryOf = (
  fiber: AnyFiber,
  { path, request }: Arrival,
  status: number,
  milliseconds: number
): AccessLog.Entry => ({
  time: new Date(),
  method: request.method,
  path,
  status,
  milliseconds,
  traceId: Context.getOrUndefined(fiber.context, Tracer.ParentSpan)?.traceId
})
