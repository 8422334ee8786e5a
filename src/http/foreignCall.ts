/** A request to a server of others, and what its answer means for a call. */
import { Clock, Effect } from "effect"
import { type HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import * as ServiceError from "../ServiceError.ts"
import * as Reason from "./reason.ts"
import * as Trace from "./trace.ts"

/** An answer that is no success: its status, and its body as a text. */
export interface Refusal {
  readonly url: string
  readonly status: number
  readonly text: string
  readonly retryAfter: string | undefined
  /** Milliseconds since the request was sent. */
  readonly elapsed: number
}

/**
 * Sends a request, as a part of the trace of its call, and gives the response if its status is one of success. What has
 * another status is given to `refuse`; a server that cannot be reached is `Unavailable`.
 */
export const send = <E>(
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  refuse: (refusal: Refusal) => E
): Effect.Effect<HttpClientResponse.HttpClientResponse, E | ServiceError.Reason> =>
  Effect.gen(function*() {
    const { currentTimeMillisUnsafe } = yield* Clock.Clock
    const start = currentTimeMillisUnsafe()
    const sent = yield* Effect.withFiber((fiber) =>
      Effect.succeed(HttpClientRequest.setHeaders(request, Trace.headerOf(fiber)))
    )
    const response = yield* Effect.mapError(Trace.withoutSpans(client).execute(sent), unanswered(request.url))
    if (response.status >= 200 && response.status <= 299) return response
    const text = yield* Effect.orElseSucceed(response.text, () => "")
    return yield* Effect.fail(refuse({
      url: request.url,
      status: response.status,
      text,
      retryAfter: response.headers["retry-after"],
      elapsed: currentTimeMillisUnsafe() - start
    }))
  })

/** The body of a response, which the connection may not give. */
export const receive = <A>(
  url: string,
  body: Effect.Effect<A, HttpClientError.HttpClientError>
): Effect.Effect<A, ServiceError.Reason> => Effect.mapError(body, unanswered(url))

const unanswered = (url: string) => (error: HttpClientError.HttpClientError): ServiceError.Reason =>
  Reason.unavailable(url, error.message)

/** What a refusal means that says nothing better than its status; `message` is what the server says of it. */
export const toReason = (refusal: Refusal, message: string): ServiceError.Reason => {
  const { elapsed, retryAfter, status, url } = refusal
  const detail = `${url} answered with status ${status}: ${message}`
  if (status === 400 || status === 413 || status === 422) return new ServiceError.InvalidPayload({ issue: detail })
  const reason = Reason.fromHead({ url, status, contentType: undefined, retryAfter }, elapsed)
  return reason === undefined || reason._tag === "ContractMismatch"
    ? new ServiceError.ContractMismatch({ detail })
    : reason._tag === "Unavailable"
    ? new ServiceError.Unavailable({ detail })
    : reason
}
