/**
 * The route of a server of tools, with the bounds that its protocol leaves to others: on what a client sends, and on
 * the sessions that clients make a server keep.
 */
import { type Context, Effect } from "effect"
import { HttpEffect, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as ForeignRoute from "../http/foreignRoute.ts"
import * as Json from "../http/json.ts"
import type { Limits } from "../http/limits.ts"

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest

export interface Options {
  readonly path: string
  readonly limits: Limits
  /** How many sessions there may be at a time. With one more, the one that was used least recently is ended. */
  readonly maxSessions: number
}

const sessionHeader = "mcp-session-id"

/** Puts the bounds around a server that ends a session when it is asked to. */
export const make = <E, R>(
  given: Effect.Effect<Response, E, R | Request>,
  { limits, maxSessions, path }: Options
): Effect.Effect<Response, never, R | Request> => {
  // It has routes for the usual verbs, and no other way to fail.
  const server = Effect.orElseSucceed(given, () => wrongVerb)
  const sessions = new Sessions(maxSessions)
  const refuse = refusal(limits)
  const endOldest = Effect.suspend(() => {
    const oldest = sessions.takeOldest()
    return oldest === undefined ? Effect.void : Effect.exit(end(server, path, oldest))
  })
  // The server gives a session its id when its answer is on the way.
  const noteNew = Effect.contextWith((context: Context.Context<R | Request>) =>
    HttpEffect.appendPreResponseHandler((_, response) => {
      const id = response.headers[sessionHeader]
      if (id === undefined) return Effect.succeed(response)
      sessions.begin(id)
      return Effect.as(Effect.provideContext(endOldest, context), response)
    })
  )
  const post = Effect.fnUntraced(function*(request: Request) {
    const text = yield* Effect.result(ForeignRoute.withLimit(limits.maxBodySize)(request.text))
    const refused = text._tag === "Failure" ? unread(text.failure) : refuse(text.success)
    if (refused !== undefined) return refused
    sessions.use(request.headers[sessionHeader])
    const response = yield* server
    yield* noteNew
    return response
  })
  return Effect.flatMap(
    HttpServerRequest.HttpServerRequest,
    (request) =>
      request.method === "POST" ? post(request) : Effect.tap(server, ({ status }) =>
        Effect.sync(() => {
          if (status === ended) sessions.forget(request.headers[sessionHeader])
        }))
  )
}

/** The ids of the sessions that there are, from the one that was used least recently to the last. */
class Sessions {
  readonly #limit: number
  readonly #ids = new Set<string>()

  constructor(limit: number) {
    if (!(limit >= 1)) throw new RangeError(`a server of tools has at least one session, not ${limit}`)
    this.#limit = limit
  }

  begin(id: string): void {
    this.#ids.add(id)
  }

  use(id: string | undefined): void {
    if (id !== undefined && this.#ids.delete(id)) this.#ids.add(id)
  }

  forget(id: string | undefined): void {
    if (id !== undefined) this.#ids.delete(id)
  }

  /** The session to end, where there are more than there may be. */
  takeOldest(): string | undefined {
    const [oldest] = this.#ids
    if (oldest === undefined || this.#ids.size <= this.#limit) return undefined
    this.#ids.delete(oldest)
    return oldest
  }
}

const wrongVerb = HttpServerResponse.empty({ status: 405, headers: { allow: "POST, DELETE" } })

/** What a client is told whose session has ended as it wanted. */
const ended = 204

/** Ends a session as its client would. */
const end = <R>(server: Effect.Effect<Response, never, R | Request>, path: string, session: string) => {
  const init = { method: "DELETE", headers: { [sessionHeader]: session } }
  const request = HttpServerRequest.fromWeb(new globalThis.Request(new URL(path, "http://localhost"), init))
  return Effect.provideService(server, HttpServerRequest.HttpServerRequest, request)
}

/** The most that a client may say of itself, as it is kept as long as its session: characters. */
const longestIntroduction = 16 * 1024

/** What is wrong with a message that the server should not see; what is no JSON is refused by the server itself. */
const refusal = ({ maxJsonDepth }: Limits) => (text: string): Response | undefined => {
  try {
    const message = Json.parseText(text, maxJsonDepth)
    return text.length > longestIntroduction && isIntroduction(message)
      ? failure(413, `a client begins with at most ${longestIntroduction} characters`)
      : undefined
  } catch (error) {
    return error instanceof Json.NoJson
      ? undefined
      : failure(400, error instanceof Json.JsonError ? error.message : unreadable)
  }
}

const isIntroduction = (message: unknown): boolean =>
  typeof message === "object" && message !== null && "method" in message && message.method === "initialize"

const unreadable = "the body could not be read"

const unread = ({ reason }: HttpServerError.HttpServerError): Response =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
    ? failure(413, "the body is larger than this server takes")
    : failure(400, unreadable)

/** A failure as JSON-RPC tells one that belongs to no request: an invalid one. */
const failure = (status: number, message: string): Response =>
  HttpServerResponse.jsonUnsafe({ jsonrpc: "2.0", id: null, error: { code: -32600, message } }, { status })
