/** The `RpcClient.Protocol` of a dispatcher of undici: each call is one request, and its response the answer. */
import type { Dispatcher } from "@effect/platform-node/Undici"
import { Effect } from "effect"
import { RpcClient, type RpcMessage } from "effect/rpc"
import type { Readable } from "node:stream"
import * as Frame from "../../http/frame.ts"
import type { Reply } from "../../http/reply.ts"
import { codecFor } from "../../internal/bytesCodec.ts"
import * as FailedExit from "../../internal/failedExit.ts"
import * as Wire from "../../internal/wire.ts"
import * as ServiceError from "../../ServiceError.ts"
import { Exchange } from "./exchange.ts"

export const make = (options: {
  readonly dispatcher: Dispatcher
  /** Where calls go, with their path. */
  readonly url: URL
  readonly maxFrameSize: number
  /** In turns the name of a header and its value. */
  readonly headers: ReadonlyArray<string>
}) => {
  const { dispatcher, maxFrameSize } = options
  const { href, origin, pathname, search } = options.url
  const headers: Array<string> = [...options.headers, "content-type", Wire.contentType]
  const path = `${pathname}${search}`

  const request = Effect.fnUntraced(function*(message: RpcMessage.RequestEncoded, write: Write) {
    const { length, parts } = yield* encode(message)
    const exchange = new Exchange({ requestId: message.id, url: href, maxFrameSize })
    const common = { origin, path, method: "POST" } as const
    dispatcher.dispatch(
      parts.length === 1
        ? { ...common, headers, body: parts[0] }
        // Any iterable is a body, which its type leaves out. The parts of a large frame are written from where they are.
        : { ...common, headers: [...headers, "content-length", `${length}`], body: parts as unknown as Readable },
      exchange
    )
    yield* Effect.ensuring(deliver(exchange, write), exchange.abort)
  })

  return RpcClient.Protocol.make((writeResponse) =>
    Effect.succeed({
      send: (clientId, message) => {
        if (message._tag !== "Request") return Effect.void
        const write: Write = (reply) => writeResponse(clientId, reply)
        return request(message, write).pipe(
          Effect.catch((reason) => write(FailedExit.make(message.id, message.tag, reason))),
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

type Write = (reply: Reply) => Effect.Effect<void>

const deliver = Effect.fnUntraced(function*(exchange: Exchange, write: Write) {
  while (true) {
    const reply = yield* exchange.next
    yield* write(reply)
    if (reply._tag === "Exit") return
  }
})

const encode = (message: RpcMessage.RequestEncoded): Effect.Effect<Frame.Parts, ServiceError.Reason> =>
  Effect.try({
    try: () => Frame.encode(message),
    catch: (error) => new ServiceError.InvalidPayload({ issue: error instanceof Error ? error.message : String(error) })
  })
