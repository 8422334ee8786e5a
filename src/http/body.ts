/** Reads the body of a request as the payload of a method. */
import { Data, Effect, Schema, SchemaAST } from "effect"
import { HttpServerRequest } from "effect/http"
import type { HttpServerError } from "effect/http"
import { isBytes } from "../internal/bytesCodec.ts"
import * as Payload from "../internal/payload.ts"
import type * as Model from "../Model.ts"
import type { ServiceError } from "../ServiceError.ts"
import * as Answer from "./answer.ts"

type Reader = Effect.Effect<
  unknown,
  ServiceError | HttpServerError.HttpServerError | Refused,
  HttpServerRequest.HttpServerRequest
>

/** A request that is answered before its method is called. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly failure: Answer.Failure
}> {}

/**
 * The payload of a method from a JSON body, or from a raw body where the payload is one field of bytes.
 *
 * A raw body is anything sent as `application/octet-stream`, `image/*`, `audio/*` or `video/*`.
 */
export const reader = (service: string, method: Model.Definition): Reader => {
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(method.payload))
  const invalid = Payload.refusal(service, method.name)
  const fromJson = (json: unknown) => Effect.mapError(decode(json), (error) => invalid(error.issue))
  if (SchemaAST.isVoid(method.payload.ast)) return Effect.void
  const bytesField = findBytesField(method.payload)
  const accepted = `application/json${bytesField === undefined ? "" : ", application/octet-stream or image/*"}`
  return Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const type = (request.headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase()
    const isRaw = bytesField !== undefined && rawTypes.test(type)
    if (type !== "application/json" && !isRaw) {
      const received = type === "" ? "a body without content-type" : type
      return yield* refuse(415, "UnsupportedMediaType", `send ${accepted}, not ${received}`)
    }
    const body = new Uint8Array(yield* request.arrayBuffer)
    if (body.byteLength === 0) return yield* refuse(400, "InvalidPayload", `the body is empty: send ${accepted}`)
    if (isRaw) return { [bytesField]: body }
    return yield* Effect.flatMap(parse(body), fromJson)
  })
}

const rawTypes = /^(application\/octet-stream|(image|audio|video)\/.+)$/

const refuse = (status: number, tag: string, error: string) =>
  Effect.fail(new Refused({ failure: Answer.failure(status, tag, error) }))

const parse = (body: Uint8Array): Effect.Effect<unknown, Refused> =>
  Effect.try({
    try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)),
    catch: () => new Refused({ failure: Answer.failure(400, "InvalidPayload", "the body is not valid JSON in UTF-8") })
  })

/** The name of the only field of a payload, where that field is bytes. */
const findBytesField = (payload: Schema.Constraint): string | undefined => {
  const ast = SchemaAST.toType(payload.ast)
  if (!SchemaAST.isObjects(ast) || ast.propertySignatures.length !== 1 || ast.indexSignatures.length > 0) {
    return undefined
  }
  const { name, type } = ast.propertySignatures[0]!
  return typeof name === "string" && isBytes(type) ? name : undefined
}
