/** The check that every call makes of its payload, wherever the service runs. */
import { Effect, type Schema, SchemaIssue } from "effect"
import * as ServiceError from "../ServiceError.ts"
import * as Compiled from "./compiled.ts"

interface Checkable {
  readonly name: string
  readonly payload: Schema.Codec<unknown, unknown>
}

const formatIssue = SchemaIssue.makeFormatterDefault()

/** Checks a payload against the contract of a method; one that does not fit is `InvalidPayload`. */
export const check = (service: string, method: Checkable) => {
  const make = Compiled.maker(method.payload)
  const refuse = refusal(service, method.name)
  return (payload: unknown): Effect.Effect<unknown, ServiceError.ServiceError> =>
    Effect.mapErrorEager(make(payload), refuse)
}

/** The error of a payload with that issue. */
export const refusal = (service: string, method: string) => (issue: SchemaIssue.Issue): ServiceError.ServiceError =>
  new ServiceError.ServiceError({
    service,
    method,
    reason: new ServiceError.InvalidPayload({ issue: formatIssue(issue) })
  })

type Method = (payload: unknown) => unknown

const unchecked = new WeakMap<object, Method>()

/** A function that checks its payload, together with the one for who has checked it: a server that has decoded it. */
export const withUnchecked = <Checked extends Method>(checked: Checked, trusting: Checked): Checked => {
  unchecked.set(checked, trusting)
  return checked
}

/** The function that trusts its payload, where there is one; a function put around it, such as a policy, has none. */
export const trusting = <Checked extends Method>(checked: Checked): Checked =>
  // What was set for a function has its type.
  (unchecked.get(checked) ?? checked) as Checked
