/** One request to undici, and the messages of its response in order. */
import type { Dispatcher } from "@effect/platform-node/Undici"
import { Effect } from "effect"
import * as Frame from "../../http/frame.ts"
import * as Reason from "../../http/reason.ts"
import { type Reply, toReply } from "../../http/reply.ts"
import * as Frames from "../../internal/frames.ts"
import type * as ServiceError from "../../ServiceError.ts"
import * as FrameReader from "../socket/frameReader.ts"

type Awaited = (reply: Effect.Effect<Reply, ServiceError.Reason>) => void

/** What undici calls as a response arrives. It is read no further than replies are taken. */
export class Exchange implements Dispatcher.DispatchHandler {
  private readonly requestId: string | number
  private readonly url: string
  private readonly reader: FrameReader.FrameReader
  private readonly start = performance.now()
  private controller: Dispatcher.DispatchController | undefined
  private awaited: Awaited | undefined
  private readonly replies: Array<Reply> = []
  /** The last reply, which is given when the response has ended: then its connection is free. */
  private exit: Reply | undefined
  private isOver = false
  private reason: ServiceError.Reason | undefined
  private ignored = 0
  private hungUp = false

  constructor(options: { readonly requestId: string | number; readonly url: string; readonly maxFrameSize: number }) {
    this.requestId = options.requestId
    this.url = options.url
    this.reader = FrameReader.make({
      limit: () => options.maxFrameSize,
      onMessage: (message) => this.receive(toReply(this.requestId, message))
    })
  }

  /** The next reply, the last of which is an Exit. */
  readonly next: Effect.Effect<Reply, ServiceError.Reason> = Effect.callback((resume) => {
    this.awaited = resume
    this.settle()
    if (this.replies.length === 0) this.controller?.resume()
  })

  /** Hangs up, unless the response is over. */
  readonly abort: Effect.Effect<void> = Effect.sync(() => {
    if (this.isOver) return
    this.end(Reason.unavailable(this.url, "the call was interrupted"))
    this.hangUp()
  })

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.hungUp) this.hangUp()
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return
    const head: Reason.Head = {
      url: this.url,
      status,
      contentType: first(headers["content-type"]),
      retryAfter: first(headers["retry-after"])
    }
    const reason = Reason.fromHead(head, performance.now() - this.start)
    if (reason !== undefined) this.end(reason)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.isOver) return this.ignore(chunk)
    try {
      this.reader.push(chunk)
    } catch (error) {
      this.end(Reason.mismatch(this.url, error instanceof Error ? error.message : String(error)))
      return this.hangUp()
    }
    // The parser is not done with the chunk before this turn is over.
    queueMicrotask(() => Frame.release(chunk))
    this.settle()
    if (this.replies.length > 0) controller.pause()
  }

  onResponseEnd(): void {
    if (this.isOver) return
    if (this.exit === undefined) return this.end(Reason.mismatch(this.url, "the answer broke off"))
    this.replies.push(this.exit)
    this.end(undefined)
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (!this.isOver) this.end(Reason.unavailable(this.url, describe(error)))
  }

  private receive(reply: Reply) {
    if (this.exit !== undefined) throw new Frames.FrameError({ message: "the response goes on after the answer" })
    if (reply._tag === "Exit") this.exit = reply
    else this.replies.push(reply)
  }

  private end(reason: ServiceError.Reason | undefined) {
    this.isOver = true
    this.reason = reason
    this.reader.stop()
    this.settle()
  }

  /** The body of a refusal is read to its end, which keeps the connection, as long as it is short. */
  private ignore(chunk: Uint8Array) {
    this.ignored += chunk.byteLength
    if (this.ignored > mostIgnored) this.hangUp()
  }

  private hangUp() {
    this.hungUp = true
    this.controller?.abort(new Error("the call is over"))
  }

  private settle() {
    const { awaited } = this
    const reply = awaited === undefined ? undefined : this.replies.shift()
    const result = reply !== undefined
      ? Effect.succeed(reply)
      : this.reason === undefined
      ? undefined
      : Effect.fail(this.reason)
    if (awaited === undefined || result === undefined) return
    this.awaited = undefined
    awaited(result)
  }
}

const mostIgnored = 64 * 1024

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

const first = (value: string | Array<string> | undefined): string | undefined => Array.isArray(value) ? value[0] : value

// An attempt at several addresses of a name fails with an error that has a code and no message.
const describe = (error: Error): string => error.message || ("code" in error ? String(error.code) : error.name)
