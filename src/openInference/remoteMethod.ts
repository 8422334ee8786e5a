/** The caller's side of a method that a model elsewhere answers, whatever protocol leads there. */
import { Effect, type Fiber, References, SchemaIssue, SchemaParser, type Scope, type Tracer } from "effect"
import * as CallMetrics from "../internal/callMetrics.ts"
import * as Deadlines from "../internal/deadline.ts"
import * as Payload from "../internal/payload.ts"
import * as ServiceError from "../ServiceError.ts"
import type { Bound } from "./binding.ts"
import * as Model from "./model.ts"
import { Refusal } from "./refusal.ts"

/** Sends the inputs of a call, by the names of their fields, and gives its outputs by the names of theirs. */
export type Infer = (
  inputs: Model.Named,
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span | undefined
) => Effect.Effect<Model.Named, ServiceError.Reason>

/** The function of a method, with all that every call has: its check, its deadline, its span and its metrics. */
export const make = (
  service: string,
  { method, signature }: Bound,
  infer: Infer
): Effect.Effect<(payload: unknown) => Effect.Effect<unknown, ServiceError.ServiceError>, never, Scope.Scope> =>
  Effect.map(CallMetrics.make(service, method.name), (begin) => {
    const check = Payload.check(service, method)
    const checkResult = SchemaParser.makeEffect(method.success)
    const keepDeadline = Deadlines.forEffect(service, method.name)
    const fail = (reason: ServiceError.Reason) =>
      new ServiceError.ServiceError({ service, method: method.name, reason })
    const mismatch = (issue: SchemaIssue.Issue) =>
      fail(new ServiceError.ContractMismatch({ detail: `the result does not fit: ${formatIssue(issue)}` }))
    const send = Effect.fnUntraced(function*(
      fiber: Fiber.Fiber<unknown, unknown>,
      payload: unknown,
      span: Tracer.Span | undefined
    ) {
      const inputs = Model.toNamed(signature.inputs, yield* check(payload))
      const outputs = yield* Effect.mapError(infer(inputs, fiber, span), fail)
      return yield* Effect.mapError(checkResult(Model.toValue(signature.outputs, outputs)), mismatch)
    })
    const run = (fiber: Fiber.Fiber<unknown, unknown>, payload: unknown, span: Tracer.Span | undefined) =>
      Effect.onExitPrimitive(keepDeadline(fiber, send(fiber, payload, span)), begin(fiber))
    const name = `${service}.${method.name}`
    return (payload) =>
      Effect.withFiber((fiber) =>
        fiber.getRef(References.TracerEnabled)
          ? Effect.useSpan(name, spanOptions, (span) => run(fiber, payload, span))
          : run(fiber, payload, undefined)
      )
  })

const spanOptions = { kind: "client" } as const

const formatIssue = SchemaIssue.makeFormatterDefault()

/** What is thrown while an answer is read says that it is none of this model. */
export const readAnswer = <A>(read: () => A): Effect.Effect<A, ServiceError.ContractMismatch> =>
  Effect.try({
    try: read,
    catch: (error) => new ServiceError.ContractMismatch({ detail: `the answer does not fit: ${messageOf(error)}` })
  })

/** What is thrown while a request is written says that its payload cannot travel like this. */
export const writeRequest = <A>(write: () => A): Effect.Effect<A, ServiceError.InvalidPayload> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(write())
    } catch (error) {
      return error instanceof Refusal
        ? Effect.fail(new ServiceError.InvalidPayload({ issue: error.message }))
        : Effect.die(error)
    }
  })

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
