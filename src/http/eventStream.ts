/** The items of a stream as the body of a response: a line of JSON each, or a server-sent event each. */
import { Stream } from "effect"
import { HttpServerResponse } from "effect/http"

/** How a stream travels. */
export interface Format {
  readonly contentType: string
  readonly item: (json: unknown) => string
  readonly failure: (json: unknown) => string
}

const lines: Format = {
  contentType: "application/x-ndjson",
  item: (json) => `${JSON.stringify(json ?? null)}\n`,
  failure: (json) => `${JSON.stringify(json)}\n`
}

/** JSON has no line breaks, so an event is one line of data. The failure of a stream is an event of the type `error`. */
const events: Format = {
  contentType: "text/event-stream",
  item: (json) => `data: ${JSON.stringify(json ?? null)}\n\n`,
  failure: (json) => `event: error\ndata: ${JSON.stringify(json)}\n\n`
}

/** Events for who asks for them, and lines for everybody else. */
export const select = (accept: string | undefined): Format =>
  accept !== undefined && /(^|[,\s])text\/event-stream\b/i.test(accept) ? events : lines

/** Answers 200 and the items as they come; what they fail with is the last thing that is sent. */
export const toResponse = (
  format: Format,
  items: Stream.Stream<unknown, unknown>,
  describe: (error: unknown) => unknown
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(
    items.pipe(
      Stream.map(format.item),
      Stream.catch((error) => Stream.sync(() => format.failure(describe(error)))),
      Stream.encodeText
    ),
    {
      contentType: format.contentType,
      // A proxy that collects the items before it passes them on would undo the stream.
      headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
    }
  )
