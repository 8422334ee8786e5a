/** What failures are called over gRPC, and what its codes mean to a caller. */
import { Metadata, type ServiceError as GrpcError, status as Code } from "@grpc/grpc-js"
import { Duration } from "effect"
import type { Failure } from "../openInference/call.ts"
import * as ServiceError from "../ServiceError.ts"

const retryAfterKey = "retry-after"

/** The most of a sentence that goes into a header. */
const longest = 2000

/** A failure as a server sends it; `retry-after` is in seconds, beside it. */
export const toError = ({ message, retryAfter, status }: Failure) => {
  const metadata = new Metadata()
  if (retryAfter !== undefined) metadata.set(retryAfterKey, retryAfter)
  return { code: codeOf(status), details: message.slice(0, longest), metadata }
}

const codeOf = (status: number): Code =>
  codes.get(status) ?? (status >= 400 && status < 500 ? Code.INVALID_ARGUMENT : Code.INTERNAL)

const codes: ReadonlyMap<number, Code> = new Map([
  [401, Code.UNAUTHENTICATED],
  [403, Code.PERMISSION_DENIED],
  [404, Code.NOT_FOUND],
  [409, Code.ABORTED],
  [429, Code.RESOURCE_EXHAUSTED],
  [501, Code.UNIMPLEMENTED],
  [502, Code.FAILED_PRECONDITION],
  [503, Code.UNAVAILABLE],
  [504, Code.DEADLINE_EXCEEDED]
])

/** What it means for a call that so many milliseconds ago was sent. */
export const toReason = ({ code, details, metadata }: GrpcError, elapsed: number): ServiceError.Reason => {
  const detail = `it answered with ${Code[code]}: ${details.slice(0, longest)}`
  switch (code) {
    case Code.INVALID_ARGUMENT:
    case Code.OUT_OF_RANGE:
      return new ServiceError.InvalidPayload({ issue: details.slice(0, longest) })
    case Code.RESOURCE_EXHAUSTED:
      return tooLarge.test(details)
        ? new ServiceError.InvalidPayload({ issue: details.slice(0, longest) })
        : new ServiceError.Overloaded({ retryAfter: retryAfterOf(metadata) })
    case Code.DEADLINE_EXCEEDED:
      return new ServiceError.DeadlineExceeded({ budget: Duration.millis(elapsed) })
    case Code.NOT_FOUND:
    case Code.UNIMPLEMENTED:
    case Code.FAILED_PRECONDITION:
    case Code.PERMISSION_DENIED:
    case Code.UNAUTHENTICATED:
      return new ServiceError.ContractMismatch({ detail })
    default:
      return new ServiceError.Unavailable({ detail })
  }
}

/** A message over the limit has the code of a server that is full. */
const tooLarge = /Received message larger than max|Attempted to send message with a size larger than/

const retryAfterOf = (metadata: Metadata | undefined): Duration.Duration => {
  const [seconds = "1"] = metadata?.get(retryAfterKey) ?? []
  return Duration.seconds(Math.max(0, Number(seconds) || 1))
}
