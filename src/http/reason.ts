/** What it means for a call that a server answered with something else than frames. */
import { Duration } from "effect"
import * as Wire from "../internal/wire.ts"
import * as ServiceError from "../ServiceError.ts"

/** A response as far as its head says what it is. */
export interface Head {
  readonly url: string
  readonly status: number
  readonly contentType: string | undefined
  readonly retryAfter: string | undefined
}

/** Why a response is no answer to a call that was sent so many milliseconds ago; nothing where it is one. */
export const fromHead = (head: Head, elapsed: number): ServiceError.Reason | undefined => {
  if (head.status < 200 || head.status > 299) return fromStatus(head, elapsed)
  if (head.contentType === Wire.contentType) return undefined
  return mismatch(head.url, `it answered ${head.contentType ?? "without content-type"}, not ${Wire.contentType}`)
}

const fromStatus = ({ retryAfter, status, url }: Head, elapsed: number): ServiceError.Reason => {
  const detail = `${url} answered with status ${status}`
  switch (status) {
    case 413:
      return new ServiceError.InvalidPayload({ issue: `${detail}: the body is over the limit of the server` })
    case 429:
      return new ServiceError.Overloaded({ retryAfter: toDuration(retryAfter) })
    case 408:
    case 499:
    case 500:
    case 502:
    case 503:
      return new ServiceError.Unavailable({ detail })
    // Something between caller and server gave the call this long.
    case 504:
      return new ServiceError.DeadlineExceeded({ budget: Duration.millis(elapsed) })
    default:
      return new ServiceError.ContractMismatch({ detail })
  }
}

/** Retry-After is a number of seconds or a date. A date asks for two clocks that agree, so it counts as one second. */
const toDuration = (retryAfter: string | undefined): Duration.Duration => {
  const seconds = Number(retryAfter ?? 1)
  return Duration.seconds(seconds >= 0 ? seconds : 1)
}

/** What came is no message of the contract. */
export const mismatch = (url: string, what: string): ServiceError.Reason =>
  new ServiceError.ContractMismatch({ detail: `${url}: ${what}` })

/** No answer came. */
export const unavailable = (url: string, what: string): ServiceError.Reason =>
  new ServiceError.Unavailable({ detail: `${url}: ${what}` })
