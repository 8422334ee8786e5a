/** Reads the body of a request into memory of its own, which begins at 8 bytes as frames must. */
import { Effect } from "effect"
import { HttpIncomingMessage, HttpServerError, HttpServerRequest } from "effect/http"
import type { Readable } from "node:stream"
import * as Frame from "./frame.ts"

/** The body of the request of the fiber, which is refused over `HttpIncomingMessage.MaxBodySize`. */
export const read: Effect.Effect<
  Uint8Array,
  HttpServerError.HttpServerError,
  HttpServerRequest.HttpServerRequest
> = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
  Effect.withFiber((fiber) => {
    const length = Number(request.headers["content-length"] ?? NaN)
    const limit = fiber.getRef(HttpIncomingMessage.MaxBodySize)
    const { source } = request
    // What was announced and is within the limit needs no watching. Everything else is the business of Effect.
    const isPlain = length > 0 && (limit === undefined || length <= Number(limit)) &&
      request.headers["expect"] === undefined
    return isPlain && isUnreadStream(source)
      ? collect(request, source, length)
      : Effect.map(request.arrayBuffer, (buffer) => new Uint8Array(buffer))
  }))

/** Whether a source is a stream of Node from which nobody has begun to read. */
const isUnreadStream = (source: object): source is Readable =>
  "readableFlowing" in source && source.readableFlowing === null &&
  "readableDidRead" in source && source.readableDidRead === false &&
  "destroyed" in source && source.destroyed === false && "listenerCount" in source &&
  typeof source.listenerCount === "function" && source.listenerCount("data") === 0

const collect = (request: HttpServerRequest.HttpServerRequest, source: Readable, length: number) =>
  Effect.callback<Uint8Array, HttpServerError.HttpServerError>((resume) => {
    let body: Uint8Array<ArrayBuffer> | undefined
    let received = 0
    const fail = (cause: unknown) => {
      cleanup()
      const reason = new HttpServerError.RequestParseError({ request, cause })
      resume(Effect.fail(new HttpServerError.HttpServerError({ reason })))
    }
    const onData = (chunk: Uint8Array) => {
      const needed = received + chunk.byteLength
      if (needed > length) return fail(new RangeError(`more than the ${length} bytes that were announced`))
      if (body === undefined || needed > body.byteLength) body = enlarge(body, received, capacity(length, needed))
      body.set(chunk, received)
      received = needed
      Frame.release(chunk)
    }
    const onEnd = () => {
      if (body === undefined || received < length) {
        return fail(new RangeError("less than the bytes that were announced"))
      }
      cleanup()
      resume(Effect.succeed(body))
    }
    const onClose = () => fail(new Error("the client went away"))
    const cleanup = () => {
      source.off("data", onData).off("end", onEnd).off("error", fail).off("close", onClose)
    }
    source.on("data", onData).on("end", onEnd).on("error", fail).on("close", onClose)
    return Effect.sync(cleanup)
  })

const enlarge = (body: Uint8Array | undefined, received: number, length: number) => {
  const larger = Frame.allocate(length)
  if (body !== undefined) larger.set(body.subarray(0, received))
  return larger
}

/** What is announced is set aside once a sixteenth of it is here; until then, at most twice what has come. */
const capacity = (length: number, received: number): number =>
  length <= small || received * 16 >= length ? length : Math.min(length, Math.max(small, 2 * received))

const small = 64 * 1024
