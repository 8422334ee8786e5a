/** Models that a server elsewhere has, over HTTP. */
import { Duration, Effect, type Fiber, type Redacted, type Tracer } from "effect"
import { type HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import * as Deadline from "../Deadline.ts"
import { join } from "../http/frame.ts"
import * as Trace from "../http/trace.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Tensor from "../Tensor.ts"
import type { Bound } from "./binding.ts"
import * as Json from "./json.ts"
import * as Message from "./message.ts"
import type { Named } from "./model.ts"
import { type Infer, readAnswer, writeRequest } from "./remoteMethod.ts"
import * as Request from "./request.ts"
import * as Tensors from "./tensors.ts"

export interface Options {
  readonly url: string
  readonly token: Redacted.Redacted | undefined
  readonly binary: boolean
}

type Response = HttpClientResponse.HttpClientResponse

/** What the server says of a model. */
export const metadata = (client: HttpClient.HttpClient, options: Options, bound: Bound) =>
  Trace.withoutSpans(client).execute(authorized(HttpClientRequest.get(modelUrl(options, bound)), options)).pipe(
    Effect.flatMap((response) =>
      response.status === 200 ? Effect.orElseSucceed(response.json, () => undefined) : refused(response, 0)
    ),
    Effect.mapError((failure) => toReason(options.url, failure)),
    Effect.timeoutOrElse({
      duration: "10 seconds",
      orElse: () => Effect.fail(new ServiceError.Unavailable({ detail: `${options.url} does not answer` }))
    })
  )

/** Calls a model. */
export const infer = (client: HttpClient.HttpClient, options: Options, bound: Bound): Infer => {
  const url = `${modelUrl(options, bound)}/infer`
  const { execute } = Trace.withoutSpans(client)
  const post = authorized(HttpClientRequest.post(url), options)
  const write = writer(bound, options.binary)
  const expected = Request.byName(Array.from(bound.outputs.values()))
  const fieldOf = new Map(Array.from(bound.outputs, ([field, { name }]) => [name, field]))
  const exchange = Effect.fnUntraced(function*(
    inputs: Named,
    fiber: Fiber.Fiber<unknown, unknown>,
    span: Tracer.Span | undefined
  ) {
    const message = yield* writeRequest(() => write(inputs))
    const start = Deadline.now(fiber)
    const response = yield* execute(toRequest(post, message, headersOf(fiber, span)))
    if (response.status !== 200) return yield* refused(response, Deadline.now(fiber) - start)
    const body = new Uint8Array(yield* response.arrayBuffer)
    const outputs = yield* readAnswer(() => read(expected, body, response.headers[Message.lengthHeader]))
    return new Map(Array.from(outputs, ([name, tensor]) => [fieldOf.get(name) ?? name, tensor]))
  })
  return (inputs, fiber, span) => Effect.mapError(exchange(inputs, fiber, span), (failure) => toReason(url, failure))
}

const modelUrl = ({ url }: Options, { model, version }: Bound): string => {
  const base = `${url.replace(/\/+$/, "")}/v2/models/${encodeURIComponent(model)}`
  return version === undefined ? base : `${base}/versions/${encodeURIComponent(version)}`
}

const authorized = (request: HttpClientRequest.HttpClientRequest, { token }: Options) =>
  token === undefined ? request : HttpClientRequest.bearerToken(request, token)

/** The largest elements come first, so that all of them are aligned where they arrive. */
const writer = ({ inputs, outputs }: Bound, binary: boolean) => {
  const asked = Array.from(outputs.values(), ({ name }) => ({ name, parameters: { binary_data: binary } }))
  const tail = binary ? `"outputs":${JSON.stringify(asked)}` : `"outputs":${JSON.stringify(asked.map(onlyName))}`
  const fields = Array.from(inputs).toSorted(([, a], [, b]) =>
    Tensor.bytesPerElement(b.dtype) - Tensor.bytesPerElement(a.dtype)
  )
  return (named: Named): Message.Message => {
    const entries = fields.flatMap(([field, { name }]): ReadonlyArray<Message.Entry> => {
      const tensor = named.get(field)
      return tensor === undefined ? [] : [{ kind: "input", name, tensor, binary }]
    })
    return Message.make(`{"inputs":[${entries.map(Message.toJson).join(",")}],${tail}}`, entries)
  }
}

const onlyName = ({ name }: { readonly name: string }) => ({ name })

const toRequest = (
  post: HttpClientRequest.HttpClientRequest,
  message: Message.Message,
  headers: Readonly<Record<string, string>>
) => {
  const { headerLength } = message
  const type = headerLength === undefined ? Message.jsonType : Message.binaryType
  const all = headerLength === undefined ? headers : { ...headers, [Message.lengthHeader]: String(headerLength) }
  return HttpClientRequest.bodyUint8Array(HttpClientRequest.setHeaders(post, all), join(message), type)
}

/** The trace of a call, and what is left of its deadline. */
const headersOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span | undefined
): Readonly<Record<string, string>> => {
  const deadline = fiber.getRef(Deadline.Current)
  return {
    ...Trace.headerOf(fiber, span),
    ...deadline === undefined
      ? {}
      : { "chorale-deadline": Math.max(0, deadline.at - Deadline.now(fiber)).toFixed(3) }
  }
}

/** The outputs of an answer, which may be in JSON whatever was asked for. Throws Refusal. */
const read = (expected: Request.Expected["outputs"], body: Uint8Array, headerLength: string | undefined): Named => {
  const { binary, json } = Message.split(body, headerLength)
  const { outputs } = Json.parse(json, 64)
  return Tensors.read({
    kind: "output",
    entries: outputs,
    binary: binary && Message.align(json, binary, expected.values()),
    length: json.byteLength,
    expected,
    lenient: true
  })
}

/** Why a call was refused, which the server says in a sentence. */
const refused = (response: Response, elapsed: number) =>
  Effect.flatMap(
    Effect.orElseSucceed(response.text, () => ""),
    (text) => Effect.fail(fromStatus(response.status, sentenceOf(text), response.headers["retry-after"], elapsed))
  )

const sentenceOf = (text: string): string => {
  const found = /"error"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1]
  try {
    return found === undefined ? text.slice(0, 200) : String(JSON.parse(found)).slice(0, 2000)
  } catch {
    return text.slice(0, 200)
  }
}

const fromStatus = (
  status: number,
  sentence: string,
  retryAfter: string | undefined,
  elapsed: number
): ServiceError.Reason => {
  const detail = `it answered with status ${status}: ${sentence}`
  switch (status) {
    case 400:
    case 413:
    case 422:
      return new ServiceError.InvalidPayload({ issue: sentence })
    case 429:
      return new ServiceError.Overloaded({ retryAfter: Duration.seconds(Math.max(0, Number(retryAfter ?? 1) || 1)) })
    case 504:
      return new ServiceError.DeadlineExceeded({ budget: Duration.millis(elapsed) })
    case 408:
    case 499:
    case 500:
    case 502:
    case 503:
      return new ServiceError.Unavailable({ detail })
    default:
      return new ServiceError.ContractMismatch({ detail })
  }
}

type Failure = HttpClientError.HttpClientError | ServiceError.Reason

const toReason = (url: string, failure: Failure): ServiceError.Reason => {
  if (ServiceError.isReason(failure)) return failure
  // The client may be one that fails where the status is that of a failure.
  const { reason } = failure
  return reason._tag === "StatusCodeError"
    ? fromStatus(reason.response.status, "", reason.response.headers["retry-after"], 0)
    : new ServiceError.Unavailable({ detail: `${url}: ${failure.message}` })
}
