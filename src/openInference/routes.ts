/** The routes of the Open Inference Protocol under /v2. */
import { type ByteSize, Context, type Duration, Effect, type Fiber } from "effect"
import { HttpIncomingMessage, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Stream from "effect/Stream"
import * as Deadline from "../Deadline.ts"
import * as Compression from "../http/compression.ts"
import * as RequestDeadline from "../http/deadline.ts"
import { Draining } from "../http/health.ts"
import * as RpcBody from "../http/rpcBody.ts"
import * as Readiness from "../Readiness.ts"
import * as Answer from "./answer.ts"
import * as Call from "./call.ts"
import * as Message from "./message.ts"
import * as Metadata from "./metadata.ts"
import * as Model from "./model.ts"
import * as Paths from "./paths.ts"
import { notFound, Refusal } from "./refusal.ts"
import * as Request from "./request.ts"

type Response = HttpServerResponse.HttpServerResponse
type HttpRequest = HttpServerRequest.HttpServerRequest

export interface Options {
  readonly server: Metadata.ServerOptions
  /** Where the user says nothing, the limit of the server holds, or the default where that has none. */
  readonly maxBodySize: ByteSize.ByteSize | undefined
  readonly defaultMaxBodySize: ByteSize.ByteSize
  readonly maxJsonDepth: number
  readonly timeout: Duration.Duration | undefined
}

/** A model, how it is called, and what is read of a request for it. */
interface Offered {
  readonly model: Model.Served
  readonly call: Call.Call
  readonly expected: Request.Expected
  readonly metadata: Metadata.ModelMetadata
}

/** Answers every request whose path begins with /v2. */
export const make = (
  context: Context.Context<never>,
  models: ReadonlyMap<string, Model.Served>,
  options: Options
): Effect.Effect<Response, never, HttpRequest> => {
  const offered = new Map(Array.from(models, ([name, model]): [string, Offered] => [name, {
    model,
    call: Call.make(context, model),
    expected: Request.expectedOf(model),
    metadata: Metadata.ofModel(model, options.server)
  }]))
  const ready = readinessOf(context)
  const infer = inferWith(options)
  const serverMetadata = json(Metadata.ofServer(options.server))
  const list = json({ models: Array.from(models.keys()) })

  const ofModel = (asked: Extract<Paths.Asked, { readonly model: string }>, request: HttpRequest) => {
    const { model: name, version } = asked
    const found = Metadata.hasVersion(options.server, version) ? offered.get(name) : undefined
    if (found === undefined) return refuse(Call.fromRefusal(Model.unknown(name, version, models)))
    switch (asked._tag) {
      case "Metadata":
        return Effect.succeed(json(found.metadata))
      case "ModelReady":
        return Effect.map(ready, (failure) => failure ? toResponse(failure) : json({ name, ready: true }))
      case "Infer":
        return infer(found, request)
    }
  }

  const answer = (asked: Paths.Asked, request: HttpRequest): Effect.Effect<Response, never, HttpRequest> => {
    switch (asked._tag) {
      case "Server":
        return Effect.succeed(serverMetadata)
      case "Live":
        return Effect.succeed(live)
      case "Ready":
        return Effect.map(ready, (failure) => failure ? toResponse(failure) : isReady)
      case "Models":
        return Effect.succeed(list)
      default:
        return ofModel(asked, request)
    }
  }

  return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const asked = Paths.parse(request.url)
    if (asked === undefined) return refuse(nowhere)
    const verb = asked._tag === "Infer" ? "POST" : "GET"
    return request.method === verb || request.method === "HEAD" && verb === "GET"
      ? answer(asked, request)
      : Effect.succeed(HttpServerResponse.setHeader(toResponse(wrongVerb(request.method, verb)), "allow", verb))
  })
}

const json = (value: unknown) => HttpServerResponse.jsonUnsafe(value)

const live = json({ live: true })

const isReady = json({ ready: true })

const nowhere = Call.fromRefusal(notFound("there is no such path: see /v2 and /v2/models"))

const wrongVerb = (method: string, verb: string) =>
  Call.fromRefusal(new Refusal(405, `this path answers ${verb}, not ${method}`))

const refuse = (failure: Call.Failure) => Effect.succeed(toResponse(failure))

const toResponse = ({ message, retryAfter, status }: Call.Failure): Response =>
  HttpServerResponse.jsonUnsafe(
    { error: message },
    { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } }
  )

/** What the server still lacks; nothing where it takes calls. */
export const readinessOf = (context: Context.Context<never>): Effect.Effect<Call.Failure | undefined> => {
  const checks = Context.get(context, Readiness.Checks)
  const draining = Context.get(context, Draining)
  const missing = Effect.provideService(Readiness.missing, Readiness.Checks, checks)
  return Effect.suspend(() =>
    draining.now ? Effect.succeed(Call.stopping) : Effect.map(missing, (missing) => {
      const names = Object.keys(missing)
      return names.length === 0
        ? undefined
        : { status: 503, message: `not ready: ${names.join(", ")}`, retryAfter: "1" }
    })
  )
}

const inferWith = (options: Options) => {
  const withTimeout = Call.withTimeout(options.timeout)
  const run = Effect.fnUntraced(function*(offered: Offered, request: HttpRequest) {
    const { call, expected, model } = offered
    const body = yield* Effect.mapError(RpcBody.read, unread)
    const asked = yield* Call.attempt(() =>
      Request.read(expected, body, request.headers[Message.lengthHeader], options.maxJsonDepth)
    )
    const results = yield* call(asked.inputs)
    return toMessage(yield* Call.attempt(() => Answer.write(model, options.server, asked, results)))
  })
  return (offered: Offered, request: HttpRequest): Effect.Effect<Response, never, HttpRequest> =>
    Effect.withFiber((fiber) => {
      const compressed = Compression.refuse(request)
      if (compressed !== undefined) return refuse(Call.fromAnswer(compressed))
      const deadline = readDeadline(fiber, request)
      if (deadline !== undefined && RequestDeadline.isFailure(deadline)) return refuse(Call.fromAnswer(deadline))
      const limited = Effect.provideService(
        Compression.undo(request, run(offered, request)),
        HttpIncomingMessage.MaxBodySize,
        options.maxBodySize ?? fiber.getRef(HttpIncomingMessage.MaxBodySize) ?? options.defaultMaxBodySize
      )
      const timed = deadline === undefined
        ? withTimeout(fiber, limited)
        : Effect.provideService(limited, Deadline.Current, deadline)
      return Effect.catch(timed, refuse)
    })
}

/** The edge of `Serve.http` has read the header before; alone, these routes read it themselves. */
const readDeadline = (fiber: Fiber.Fiber<unknown, unknown>, request: HttpRequest) =>
  fiber.getRef(Deadline.Current) === undefined ? RequestDeadline.read(fiber, request.headers) : undefined

const unread = ({ reason }: HttpServerError.HttpServerError): Call.Failure =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
    ? Call.fromRefusal(new Refusal(413, "the body is larger than this server takes"))
    : Call.fromRefusal(new Refusal(400, "the body could not be read"))

const toMessage = ({ headerLength, length, parts }: Message.Message): Response => {
  const contentType = headerLength === undefined ? Message.jsonType : Message.binaryType
  const headers = headerLength === undefined ? {} : { [Message.lengthHeader]: String(headerLength) }
  return parts.length === 1
    ? HttpServerResponse.uint8Array(parts[0], { contentType, headers })
    : HttpServerResponse.stream(oneByOne(parts), { contentType, contentLength: length, headers })
}

/** Parts that are written from where they are. What comes at once out of a stream would be joined. */
const oneByOne = (parts: ReadonlyArray<Uint8Array>) => Stream.rechunk(Stream.fromIterable(parts), 1)
