/** Reads the body of a request as the payload of a method. */
import { ByteSize, Effect, Schema, SchemaAST, type SchemaIssue, SchemaParser, type Scope } from "effect"
import { HttpIncomingMessage, type HttpServerError, type HttpServerRequest } from "effect/http"
import { codecFor, isBytes } from "../internal/bytesCodec.ts"
import * as Payload from "../internal/payload.ts"
import type * as Model from "../Model.ts"
import * as Answer from "./answer.ts"
import * as BodyBudget from "./bodyBudget.ts"
import * as Json from "./json.ts"
import type { Limits } from "./limits.ts"
import * as Multipart from "./multipart.ts"
import * as RpcBody from "./rpcBody.ts"
import * as TensorField from "./tensorField.ts"

/** The payload of a request, decoded and checked, or the answer that there is instead of a call. */
export type Reader = (
  request: HttpServerRequest.HttpServerRequest
) => Effect.Effect<unknown, Answer.Failure, HttpServerRequest.HttpServerRequest | Scope.Scope>

/** What a method takes: content types, and how a body of each is read. */
interface Accepted {
  readonly json: (body: Uint8Array) => Effect.Effect<unknown, Answer.Failure>
  readonly raw: ((body: Uint8Array, contentType: string) => Effect.Effect<unknown, Answer.Failure>) | undefined
  readonly multipart: ((body: Uint8Array, contentType: string) => Effect.Effect<unknown, Answer.Failure>) | undefined
}

/**
 * The payload of a method from a JSON body, from a multipart body where it is a struct, or from a raw body where it is
 * bytes or a tensor or a struct of one such field.
 *
 * A raw body is anything sent as `application/octet-stream`, `image/*`, `audio/*` or `video/*`.
 */
export const reader = (
  service: string,
  method: Model.Definition,
  limits: Limits,
  budget: BodyBudget.BodyBudget
): Reader => {
  if (SchemaAST.isVoid(method.payload.ast)) return () => Effect.void
  const accepted = acceptedBy(service, method, limits)
  const refuseType = unsupported(accepted)
  const maxLength = ByteSize.toNumberUnsafe(limits.maxBodySize)
  const bounded = Effect.provideService(RpcBody.read, HttpIncomingMessage.MaxBodySize, limits.maxBodySize)
  const tooLarge = Answer.failure(
    413,
    "PayloadTooLarge",
    `the body is larger than the ${ByteSize.format(limits.maxBodySize, { system: "binary" })} that this server takes`
  )
  const unread = (error: HttpServerError.HttpServerError): Answer.Failure =>
    error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge" ? tooLarge : unreadable
  return (request) => {
    const contentType = request.headers["content-type"] ?? ""
    const read = pick(accepted, contentType)
    if (read === undefined) return Effect.fail(refuseType(contentType))
    const onFailure = (error: HttpServerError.HttpServerError) => Effect.fail(unread(error))
    const onSuccess = (body: Uint8Array) => body.byteLength === 0 ? Effect.fail(empty) : read(body, contentType)
    // What is announced need not be watched; a limit for the rest is a change of context, which costs.
    const announced = Number(request.headers["content-length"] ?? NaN)
    const body = announced > 0 && announced <= maxLength ? RpcBody.read : bounded
    const whole = Effect.matchEffect(body, { onFailure, onSuccess })
    const length = Math.min(maxLength, announced >= 0 ? announced : maxLength)
    return budget.counts(length) ? within(budget, length, whole) : whole
  }
}

/** The bytes of a body are held by its payload, so they are given back when the request is answered. */
const within = <A, R>(
  budget: BodyBudget.BodyBudget,
  length: number,
  read: Effect.Effect<A, Answer.Failure, R>
): Effect.Effect<A, Answer.Failure, R | Scope.Scope> =>
  Effect.suspend(() => {
    if (!budget.take(length)) return Effect.fail(BodyBudget.exhausted)
    return Effect.andThen(Effect.addFinalizer(() => Effect.sync(() => budget.give(length))), read)
  })

const pick = (accepted: Accepted, contentType: string): Accepted["raw"] => {
  if (contentType === "application/json") return accepted.json
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase()
  if (type === "application/json") return accepted.json
  if (type === "multipart/form-data") return accepted.multipart
  return rawTypes.test(type) ? accepted.raw : undefined
}

const rawTypes = /^(application\/octet-stream|(image|audio|video)\/.+)$/

/** What a method takes beside JSON, for its description. */
export const accepts = (payload: Schema.Codec<unknown, unknown>, limits: Limits) => ({
  raw: findRawField(payload) !== undefined,
  multipart: Multipart.reader(payload, limits) !== undefined
})

const acceptedBy = (service: string, method: Model.Definition, limits: Limits): Accepted => {
  const decodeJson = SchemaParser.decodeUnknownEffect(Schema.toCodecJson(method.payload))
  const decodeBytes = SchemaParser.decodeUnknownEffect(codecFor(method.payload))
  const refusal = Payload.refusal(service, method.name)
  const refuse = (issue: SchemaIssue.Issue) => Answer.fromServiceError(refusal(issue))
  const toField = findRawField(method.payload)
  const toFields = Multipart.reader(method.payload, limits)
  const decode = (payload: unknown) => Effect.mapError(decodeBytes(payload), refuse)
  return {
    json: (body) => {
      const value = parse(body, limits.maxJsonDepth)
      return value instanceof Json.JsonError
        ? Effect.fail(Answer.failure(400, "InvalidPayload", value.message))
        : Effect.mapError(decodeJson(value), refuse)
    },
    raw: toField && ((body, contentType) => {
      const payload = toField(body, contentType)
      return typeof payload === "string"
        ? Effect.fail(Answer.failure(400, "InvalidPayload", payload))
        : decode(payload)
    }),
    multipart: toFields && ((body, contentType) =>
      Effect.matchEffect(toFields(contentType, body), {
        onFailure: (error) => Effect.fail("status" in error ? error : refuse(error)),
        onSuccess: decode
      }))
  }
}

const parse = (body: Uint8Array, maxDepth: number): unknown => {
  try {
    return Json.parse(body, maxDepth)
  } catch (error) {
    return error
  }
}

const unsupported = ({ multipart, raw }: Accepted) => {
  const types = [
    "application/json",
    ...multipart === undefined ? [] : ["multipart/form-data"],
    ...raw === undefined ? [] : ["application/octet-stream", "image/*"]
  ]
  const accepted = types.length === 1 ? types[0] : `${types.slice(0, -1).join(", ")} or ${types.at(-1)}`
  return (contentType: string): Answer.Failure => {
    const received = contentType === "" ? "a body without content-type" : contentType.slice(0, 100)
    return Answer.failure(415, "UnsupportedMediaType", `send ${accepted}, not ${received}`)
  }
}

const empty = Answer.failure(400, "InvalidPayload", "the body is empty")

const unreadable = Answer.failure(400, "InvalidPayload", "the body could not be read")

/** How a raw body becomes a payload, where that is bytes or a tensor or a struct of one such field. */
const findRawField = (payload: Schema.Top) => {
  const whole = fromRaw(payload.ast)
  if (whole !== undefined) return whole
  const ast = SchemaAST.toType(payload.ast)
  if (!SchemaAST.isObjects(ast) || ast.propertySignatures.length !== 1 || ast.indexSignatures.length > 0) {
    return undefined
  }
  const { name, type } = ast.propertySignatures[0]!
  const read = fromRaw(type)
  if (typeof name !== "string" || read === undefined) return undefined
  return (body: Uint8Array, contentType: string): string | object => {
    const value = read(body, contentType)
    return typeof value === "string" ? value : { [name]: value }
  }
}

const fromRaw = (type: SchemaAST.AST): ((body: Uint8Array, contentType: string) => string | object) | undefined => {
  if (isBytes(type)) return (body) => body
  const tensor = TensorField.describe(type)
  return tensor && ((body, contentType) => TensorField.fromFile(tensor, body, shapeParameter.exec(contentType)?.[1]))
}

const shapeParameter = /;\s*shape="?([^";]*)"?/i
