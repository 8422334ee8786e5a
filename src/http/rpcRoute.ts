/**
 * The `RpcServer.Protocol` of a route: each request is one call, and its response the answer.
 *
 * All requests are one client to the RPC server, told apart by the ids that the route gives them, so that a call leaves
 * nothing behind. An answer that is one message is sent whole; a stream is sent message by message as it is read.
 */
import { Cause, Effect, Queue, Scope, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { HttpServerError } from "effect/http"
import { type RpcMessage, RpcServer } from "effect/rpc"
import { codecFor } from "../internal/bytesCodec.ts"
import * as CallContext from "../internal/callContext.ts"
import { CallMap } from "../internal/callMap.ts"
import * as Wire from "../internal/wire.ts"
import * as Answer from "./answer.ts"
import * as Frame from "./frame.ts"
import * as RpcBody from "./rpcBody.ts"

export interface RpcRoute {
  readonly protocol: RpcServer.Protocol["Service"]
  readonly route: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    HttpServerError.HttpServerError,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
}

type Message = RpcMessage.ResponseChunkEncoded | RpcMessage.ResponseExitEncoded

/** A call that was not answered to its end. */
interface Call {
  readonly id: number
  /** The id that its caller gave it. */
  readonly requestId: string | number
  readonly respond: (response: Effect.Effect<HttpServerResponse.HttpServerResponse>) => void
  /** What follows the first message, where that was no end. */
  stream: Rendezvous | undefined
}

/** To the RPC server, all requests are this client. */
const client = 0

export const make: Effect.Effect<RpcRoute> = Effect.gen(function*() {
  const calls = new CallMap<string | number, Call>()
  const disconnects = yield* Queue.make<number>()
  // A call is part of its caller's trace, not of the span in which the server was built.
  const context = CallContext.ofLayer(yield* Effect.context<never>())
  const runFork = Effect.runForkWith(context)
  let nextId = 0
  let writeRequest: (clientId: number, message: RpcMessage.FromClientEncoded) => Effect.Effect<void> = () => Effect.void

  const interrupt = (id: number) =>
    Effect.sync(() => {
      if (calls.delete(id)) runFork(writeRequest(client, { _tag: "Interrupt", requestId: id }))
    })

  const receive = (call: Call, message: Message): Effect.Effect<void> => {
    const frame = encode(call.requestId, message)
    if (message._tag === "Exit") {
      calls.delete(call.id)
      if (call.stream === undefined) call.respond(Effect.succeed(whole(frame)))
      else call.stream.end(Frame.join(frame))
      return Effect.void
    }
    if (call.stream === undefined) {
      call.stream = new Rendezvous()
      call.respond(Effect.succeed(streamed(call.stream)))
    }
    return call.stream.offer(Frame.join(frame))
  }

  const protocol = yield* RpcServer.Protocol.make((write) => {
    writeRequest = write
    return Effect.succeed({
      disconnects,
      send: (_: number, message: RpcMessage.FromServerEncoded) =>
        Effect.suspend(() => {
          if (message._tag !== "Exit" && message._tag !== "Chunk") return Effect.void
          const call = calls.get(message.requestId)
          return call === undefined ? Effect.void : receive(call, message)
        }),
      end: () => Effect.void,
      clientIds: Effect.succeed(new Set([client])),
      initialMessage: Effect.succeedNone,
      supportsAck: false,
      supportsTransferables: false,
      supportsSpanPropagation: true,
      supportsNotifications: false,
      codecFor
    })
  })

  const answer = (id: number, { headers, id: requestId, payload, tag }: RpcMessage.RequestEncoded) =>
    Effect.callback<HttpServerResponse.HttpServerResponse>((resume) => {
      calls.set(id, { id, requestId, respond: resume, stream: undefined })
      const fiber = runFork(writeRequest(client, { _tag: "Request", id, tag, payload, headers }))
      fiber.addObserver((exit) => {
        if (exit._tag === "Failure" && calls.delete(id)) resume(unavailable)
      })
    })

  const call = (message: RpcMessage.RequestEncoded) =>
    Effect.flatMap(Effect.scope, (scope) => {
      const id = nextId++
      // The scope of a request ends when its response is written, or its client has gone.
      return Effect.andThen(Scope.addFinalizer(scope, interrupt(id)), answer(id, message))
    })

  return {
    protocol,
    route: Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const contentType = request.headers["content-type"]
      if (contentType !== Wire.contentType) return Effect.succeed(Answer.toResponse(unsupported(contentType)))
      return Effect.flatMap(RpcBody.read, (body) => {
        const message = requestOf(body)
        return typeof message === "string" ? Effect.succeed(Answer.toResponse(malformed(message))) : call(message)
      })
    })
  }
})

/** Hands over one frame at a time: who offers one waits until it is taken. */
class Rendezvous {
  private frame: Uint8Array | undefined
  private isOver = false
  private taken: (() => void) | undefined
  private awaited: ((pull: Effect.Effect<readonly [Uint8Array], Cause.Done>) => void) | undefined

  readonly pull: Effect.Effect<readonly [Uint8Array], Cause.Done> = Effect.callback((resume) => {
    this.awaited = resume
    this.settle()
    return Effect.sync(() => {
      this.awaited = undefined
    })
  })

  offer(frame: Uint8Array): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.frame = frame
      this.taken = () => resume(Effect.void)
      this.settle()
    })
  }

  /** Offers the last frame. */
  end(frame: Uint8Array): void {
    this.frame = frame
    this.taken = undefined
    this.isOver = true
    this.settle()
  }

  private settle() {
    const { awaited, frame, taken } = this
    if (awaited === undefined || frame === undefined && !this.isOver) return
    this.awaited = undefined
    this.frame = undefined
    this.taken = undefined
    awaited(frame === undefined ? Cause.done() : Effect.succeed([frame]))
    taken?.()
  }
}

const streamed = ({ pull }: Rendezvous) =>
  HttpServerResponse.stream(Stream.fromPull(Effect.succeed(pull)), { contentType: Wire.contentType })

/** What a stream has written stays in memory until V8 collects everything: up to a size, a copy costs much less. */
const whole = (frame: Frame.Parts) =>
  frame.parts.length === 1 || frame.length <= longestCopy
    ? HttpServerResponse.uint8Array(Frame.join(frame), { contentType: Wire.contentType })
    : HttpServerResponse.stream(oneByOne(frame.parts), {
      contentType: Wire.contentType,
      contentLength: frame.length
    })

const longestCopy = 8 * 1024 * 1024

/** Parts that are written from where they are. What comes at once out of a stream would be joined. */
const oneByOne = (parts: ReadonlyArray<Uint8Array>) => Stream.rechunk(Stream.fromIterable(parts), 1)

/** The frame of a message under the id that its caller knows, or of the defect that there is no such frame. */
const encode = (requestId: string | number, message: Message): Frame.Parts => {
  try {
    return Frame.encode({ ...message, requestId })
  } catch (error) {
    const defect = `an answer could not be sent: ${error instanceof Error ? error.message : error}`
    return Frame.encode(
      {
        _tag: "Exit",
        requestId,
        exit: { _tag: "Failure", cause: [{ _tag: "Die", defect }] }
      } satisfies Message
    )
  }
}

/** The request that a body holds, or what is wrong with it. */
const requestOf = (body: Uint8Array): RpcMessage.RequestEncoded | string => {
  try {
    const message = Frame.decode(body)
    return isRequest(message) ? message : "the frame holds no request"
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const isRequest = (u: unknown): u is RpcMessage.RequestEncoded =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "Request" &&
  "id" in u && (typeof u.id === "string" || typeof u.id === "number") &&
  "tag" in u && typeof u.tag === "string" &&
  "headers" in u && Array.isArray(u.headers) && u.headers.every(isHeader)

const isHeader = (u: unknown): u is [string, string] =>
  Array.isArray(u) && u.length === 2 && typeof u[0] === "string" && typeof u[1] === "string"

const unavailable = Effect.sync(() =>
  Answer.toResponse(Answer.failure(503, "Unavailable", "the server is stopping", { "retry-after": "1" }))
)

const malformed = (what: string) => Answer.failure(400, "InvalidPayload", `send one request as a frame: ${what}`)

const unsupported = (contentType: string | undefined) =>
  Answer.failure(
    415,
    "UnsupportedMediaType",
    `send ${Wire.contentType}, not ${contentType ?? "a body without content-type"}`
  )
