/** Calls a method with tensors, whatever protocol they came by. */
import { Cause, type Context, type Duration, Effect, type Fiber } from "effect"
import * as Deadline from "../Deadline.ts"
import * as Answer from "../http/answer.ts"
import * as Model from "./model.ts"
import { Refusal } from "./refusal.ts"

/** What a request ends with that has no result, its status as HTTP numbers it. */
export interface Failure {
  readonly status: number
  readonly message: string
  /** In seconds. */
  readonly retryAfter: string | undefined
}

/** Calls the method of a model. A defect is logged, and nothing of it is told. */
export type Call = (inputs: Model.Named) => Effect.Effect<Model.Named, Failure>

export const make = (context: Context.Context<never>, model: Model.Served): Call => {
  const { inputs, method, outputs } = model
  // A method that is a model answers once.
  const call = Model.clientOf(context, model)[method.name] as (payload: unknown) => Effect.Effect<unknown, unknown>
  const describe = Answer.describe(method)
  return (named) =>
    Effect.matchCauseEffect(call(Model.toValue(inputs, named)), {
      onSuccess: (result) => Effect.succeed(Model.toNamed(outputs, result)),
      onFailure: (cause) => {
        const failure = cause.reasons.find(Cause.isFailReason)
        if (failure !== undefined) return Effect.fail(fromAnswer(describe(failure.error)))
        if (Cause.hasDies(cause)) return Effect.andThen(logDefect(cause), Effect.fail(defect))
        return Effect.interrupt
      }
    })
}

const logDefect = (cause: Cause.Cause<unknown>) => Effect.logError("A call failed with a defect", cause)

export const fromAnswer = ({ body, headers, status }: Answer.Failure): Failure => ({
  status,
  message: body.error,
  retryAfter: headers["retry-after"]
})

export const fromRefusal = ({ message, status }: Refusal): Failure => ({ status, message, retryAfter: undefined })

export const defect: Failure = fromAnswer(Answer.defect)

export const stopping: Failure = fromAnswer(Answer.stopping)

/** What is thrown as a Refusal is the answer; whatever else is thrown is a defect, and answered as one. */
export const attempt = <A>(read: () => A): Effect.Effect<A, Failure> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(read())
    } catch (error) {
      return error instanceof Refusal
        ? Effect.fail(fromRefusal(error))
        : Effect.andThen(Effect.logError("A request could not be answered", error), Effect.fail(defect))
    }
  })

/** Gives a call that long, where nothing else says how long it has. */
export const withTimeout =
  (timeout: Duration.Duration | undefined) =>
  <A, E, R>(fiber: Fiber.Fiber<unknown, unknown>, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    timeout === undefined || fiber.getRef(Deadline.Current) !== undefined
      ? self
      : Effect.provideService(self, Deadline.Current, Deadline.fromNow(fiber, timeout))
