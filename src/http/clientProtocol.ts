/** The `RpcClient.Protocol` of any `HttpClient`: each call is one request, and its response the answer. */
import { Clock, Effect, Function, Stream } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { RpcClient, type RpcMessage } from "effect/rpc"
import { codecFor } from "../internal/bytesCodec.ts"
import * as FailedExit from "../internal/failedExit.ts"
import * as Frames from "../internal/frames.ts"
import * as Wire from "../internal/wire.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Frame from "./frame.ts"
import * as Reason from "./reason.ts"
import { type Reply, toReply } from "./reply.ts"

type Write = (reply: Reply) => Effect.Effect<void>

/** Calls the server at a URL, which has the path of the calls. */
export const make = (client: HttpClient.HttpClient, url: string) => {
  const exchange = exchangeWith(withoutSpans(client), url)
  return RpcClient.Protocol.make((writeResponse) =>
    Effect.succeed({
      send: (clientId, message) => {
        if (message._tag !== "Request") return Effect.void
        const write: Write = (answer) => writeResponse(clientId, answer)
        return exchange(message, write).pipe(
          Effect.catch((error) => write(FailedExit.make(message.id, message.tag, toReason(url, error)))),
          // The RPC client forgets a stream that was closed while an item was handed over only when it ends.
          Effect.onInterrupt(() => write(FailedExit.interrupted(message.id)))
        )
      },
      supportsAck: false,
      supportsTransferables: false,
      codecFor
    })
  )
}

// The call has a span, which tells what one of the request would.
const withoutSpans = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(
    client,
    (effect) => Effect.provideService(effect, HttpClient.TracerDisabledWhen, Function.constTrue)
  )

const exchangeWith = (client: HttpClient.HttpClient, url: string) => {
  const post = HttpClientRequest.post(url)
  return Effect.fnUntraced(function*(message: RpcMessage.RequestEncoded, write: Write) {
    const frame = yield* encode(message)
    const { currentTimeMillisUnsafe } = yield* Clock.Clock
    const start = currentTimeMillisUnsafe()
    const response = yield* client.execute(HttpClientRequest.bodyUint8Array(post, frame, Wire.contentType))
    const reason = Reason.fromHead(headOf(url, response), currentTimeMillisUnsafe() - start)
    if (reason !== undefined) return yield* reason
    // A server that announces the length of its answer has it whole.
    return yield* response.headers["content-length"] === undefined
      ? receiveStream(response, message.id, write)
      : receiveWhole(response, message.id, write)
  })
}

const encode = (message: RpcMessage.RequestEncoded): Effect.Effect<Uint8Array, ServiceError.InvalidPayload> =>
  Effect.try({
    try: () => Frame.join(Frame.encode(message)),
    catch: (error) => new ServiceError.InvalidPayload({ issue: messageOf(error) })
  })

type Response = HttpClientResponse.HttpClientResponse

const headOf = (url: string, { headers, status }: Response): Reason.Head => ({
  url,
  status,
  contentType: headers["content-type"],
  retryAfter: headers["retry-after"]
})

const receiveWhole = (response: Response, requestId: RequestId, write: Write) =>
  Effect.flatMap(
    response.arrayBuffer,
    (body) => Effect.flatMap(decodeWith(() => toReply(requestId, Frame.decode(new Uint8Array(body)))), write)
  )

const receiveStream = Effect.fnUntraced(function*(response: Response, requestId: RequestId, write: Write) {
  const decode = Frames.makeDecoder(Frame.largest)
  let exit: Reply | undefined
  const receive = (message: unknown): ReadonlyArray<Reply> => {
    if (exit !== undefined) throw new Frames.FrameError({ message: "the response goes on after the answer" })
    const reply = toReply(requestId, message)
    if (reply._tag === "Chunk") return [reply]
    exit = reply
    return []
  }
  yield* Stream.runForEachArray(response.stream, (chunks) =>
    Effect.flatMap(
      decodeWith(() => chunks.flatMap(decode).flatMap(receive)),
      Effect.forEach(write, { discard: true })
    ))
  // Only now is it certain that nothing follows.
  yield* exit === undefined ? new Frames.FrameError({ message: "the answer broke off" }) : write(exit)
})

type RequestId = RpcMessage.RequestEncoded["id"]

const decodeWith = <A>(decode: () => A): Effect.Effect<A, Frames.FrameError> =>
  Effect.try({
    try: decode,
    catch: (error) => error instanceof Frames.FrameError ? error : new Frames.FrameError({ message: messageOf(error) })
  })

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

type Failure = HttpClientError.HttpClientError | Frames.FrameError | ServiceError.Reason

const toReason = (url: string, failure: Failure): ServiceError.Reason => {
  if (ServiceError.isReason(failure)) return failure
  if (failure._tag === "FrameError") return Reason.mismatch(url, failure.message)
  // The client may be one that fails where the status is that of a failure.
  const refused = failure.reason._tag === "StatusCodeError"
    ? Reason.fromHead(headOf(url, failure.reason.response), 0)
    : undefined
  return refused ?? Reason.unavailable(url, failure.message)
}
