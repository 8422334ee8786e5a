/** The check that every call makes of its payload, wherever the service runs. */
import { Effect, type Schema, SchemaIssue, SchemaParser } from "effect"
import * as ServiceError from "../ServiceError.ts"

interface Method {
  readonly name: string
  readonly payload: Schema.Codec<unknown, unknown>
}

const formatIssue = SchemaIssue.makeFormatterDefault()

/** Checks a payload against the contract of a method; one that does not fit is `InvalidPayload`. */
export const check = (service: string, method: Method) => {
  const make = SchemaParser.makeEffect(method.payload)
  const refuse = refusal(service, method.name)
  return (payload: unknown): Effect.Effect<unknown, ServiceError.ServiceError> => Effect.mapError(make(payload), refuse)
}

/** The error of a payload with that issue. */
export const refusal = (service: string, method: string) => (issue: SchemaIssue.Issue): ServiceError.ServiceError =>
  new ServiceError.ServiceError({
    service,
    method,
    reason: new ServiceError.InvalidPayload({ issue: formatIssue(issue) })
  })
