/**
 * The time a request is given by its caller.
 *
 * `chorale-deadline` is what a hop between services carries: the milliseconds that are left. The header of Envoy is what
 * a mesh tells the server of its own limit.
 */
import { Duration, type Fiber } from "effect"
import type { Headers } from "effect/http"
import * as Deadline from "../Deadline.ts"
import * as Answer from "./answer.ts"

const own = "chorale-deadline"
const envoy = "x-envoy-expected-rq-timeout-ms"

/** The deadline of a request, or why there is none to be had from its header; nothing where it has no header. */
export const read = (
  fiber: Fiber.Fiber<unknown, unknown>,
  headers: Headers.Headers
): Deadline.Deadline | Answer.Failure | undefined => {
  const given = headers[own]
  if (given !== undefined) return isMillis(given) ? within(fiber, given) : malformed(given)
  const expected = headers[envoy]
  return expected !== undefined && isMillis(expected) ? within(fiber, expected) : undefined
}

export const isFailure = (read: Deadline.Deadline | Answer.Failure | undefined): read is Answer.Failure =>
  read !== undefined && "status" in read

/** At most 12 digits before the point: more than 30 years. */
const isMillis = (text: string): boolean => /^\d{1,12}(\.\d{1,20})?$/.test(text)

const within = (fiber: Fiber.Fiber<unknown, unknown>, millis: string) =>
  Deadline.fromNow(fiber, Duration.millis(Number(millis)))

const malformed = (given: string) =>
  Answer.failure(400, "InvalidPayload", `${own} is a number of milliseconds, not ${JSON.stringify(given.slice(0, 40))}`)
