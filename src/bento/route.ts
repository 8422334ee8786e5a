/** One API of a server as BentoML's clients call it. */
import { Cause, type Duration, Effect, Result, SchemaAST, SchemaParser, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Answer from "../http/answer.ts"
import * as ForeignRoute from "../http/foreignRoute.ts"
import type { Limits } from "../http/limits.ts"
import * as Misfit from "../http/misfit.ts"
import { codecFor, isBytes } from "../internal/bytesCodec.ts"
import * as Payload from "../internal/payload.ts"
import type * as Model from "../Model.ts"
import * as Form from "./form.ts"
import * as ApiSchema from "./schema.ts"
import * as Values from "./values.ts"

type Response = HttpServerResponse.HttpServerResponse

export interface Options {
  readonly service: string
  readonly method: Model.Definition
  readonly client: Model.AnyClient
  readonly limits: Limits
  readonly timeout: Duration.Input
}

export const make = ({ client, limits, method, service, timeout }: Options) => {
  const read = reader(service, method, limits)
  // The payload was decoded, and thereby checked.
  const call = Payload.trusting(client[method.name]!)
  const answer = answerer(service, method)
  const describe = Answer.describe(method)
  const handler = Effect.flatMap(
    Effect.flatMap(HttpServerRequest.HttpServerRequest, read),
    (payload) => Effect.mapError(answer(call(payload)), describe)
  )
  return ForeignRoute.make(handler, { limits, timeout, toResponse })
}

/** A failure is what every client of BentoML looks for, an `error`, and what callers of this library act on. */
const toResponse = ({ body, headers, status }: Answer.Failure): Response =>
  HttpServerResponse.jsonUnsafe(
    body._tag === "InvalidPayload" ? { ...body, detail: [{ type: "value_error", loc: [], msg: body.error }] } : body,
    { status, headers }
  )

/** The payload of a request, whatever its content type says: clients say JSON of a file, and a file of JSON. */
const reader = (service: string, method: Model.Definition, limits: Limits) => {
  const fields = ApiSchema.fieldsOf(method.payload.ast)
  const element = (type: SchemaAST.AST) => SchemaAST.isArrays(type) ? type.rest[0] : undefined
  const isFile = (type: SchemaAST.AST) => isBytes(type) || isBytes(element(type) ?? type)
  const names = (of: (type: SchemaAST.AST) => boolean) =>
    new Set((fields ?? []).filter(({ type }) => of(type)).map(({ name }) => String(name)))
  const form = { files: names(isFile), lists: names((type) => element(type) !== undefined) }
  const fromBento = Values.decoder(method.payload.ast)
  const decode = SchemaParser.decodeUnknownEffect(codecFor(method.payload))
  const refusal = Payload.refusal(service, method.name)
  const parse = (body: Uint8Array, contentType: string): Result.Result<unknown, Answer.Failure> => {
    if (contentType.startsWith("application/vnd.bentoml+pickle")) return Result.fail(pickle)
    if (contentType.startsWith("multipart/")) return Form.parse(body, contentType, limits, form)
    if (fields === undefined && isBytes(method.payload.ast)) return Result.succeed(body)
    if (fields === undefined && contentType.startsWith("text/plain")) {
      return Result.succeed(new TextDecoder().decode(body))
    }
    return body.byteLength === 0 ? Result.succeed({}) : ForeignRoute.parseJson(body, limits)
  }
  return (request: HttpServerRequest.HttpServerRequest) =>
    ForeignRoute.readBody.pipe(
      Effect.flatMap((body) => Effect.fromResult(parse(body, request.headers["content-type"] ?? ""))),
      Effect.flatMap((value) =>
        SchemaAST.isVoid(method.payload.ast)
          ? Effect.undefined
          : Effect.mapError(decode(fromBento(value)), (issue) => Answer.fromServiceError(refusal(issue)))
      )
    )
}

const pickle = Answer.failure(415, "UnsupportedMediaType", "this server takes JSON and forms, and no pickles")

// The contract says whether a method answers once or streams; the erased client does not, hence the two assertions.
type Call = Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

const answerer = (service: string, method: Model.Definition) => {
  const encode = encoder(service, method)
  const once = (call: Call) =>
    Effect.flatMap(call as Effect.Effect<unknown, unknown>, (result) =>
      typeof result === "string"
        ? Effect.succeed(HttpServerResponse.text(result))
        : result instanceof Uint8Array
        ? Effect.succeed(HttpServerResponse.uint8Array(result))
        : Effect.map(encode(result), (json) => HttpServerResponse.jsonUnsafe(json ?? null)))
  return method.stream ? (call: Call) => answerStream(call as Stream.Stream<unknown, unknown>, encode) : once
}

/**
 * The items one after another with nothing between them. The first is awaited, so that what fails at once has its
 * status; a failure later breaks the connection off.
 */
const answerStream = Effect.fnUntraced(function*(
  items: Stream.Stream<unknown, unknown>,
  encode: (value: unknown) => Effect.Effect<unknown>
) {
  const text = new TextEncoder()
  const chunks = Stream.mapEffect(items, (item) =>
    item instanceof Uint8Array
      ? Effect.succeed(item)
      : typeof item === "string"
      ? Effect.succeed(text.encode(item))
      : Effect.map(encode(item), (json) => text.encode(JSON.stringify(json ?? null))))
  const pull = yield* Stream.toPull(chunks)
  const first = yield* Effect.catchIf(pull, Cause.isDone, () => Effect.undefined)
  const rest = first === undefined
    ? Stream.empty
    : Stream.concat(Stream.fromIterable(first), Stream.fromPull(Effect.succeed(pull)))
  return HttpServerResponse.stream(rest, {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
})

const encoder = (service: string, method: Model.Definition) => {
  const encode = SchemaParser.encodeUnknownEffect(codecFor(method.success))
  const toBento = Values.encoder(method.success.ast)
  const orDie = Misfit.orDie(service, method)
  return (value: unknown): Effect.Effect<unknown> => orDie(Effect.map(encode(value), toBento))
}
