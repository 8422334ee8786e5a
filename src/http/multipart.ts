/** A `multipart/form-data` body as the fields of a payload: files as bytes, everything else as text or JSON. */
import { Effect, Schema, SchemaAST, SchemaIssue, SchemaParser } from "effect"
import { MultipartParser } from "effect/http"
import { codecFor, isBytes } from "../internal/bytesCodec.ts"
import * as Answer from "./answer.ts"
import * as Json from "./json.ts"
import type { Limits } from "./limits.ts"
import * as TensorField from "./tensorField.ts"

/** One part: what its headers say, and its bytes. */
interface Part {
  readonly info: MultipartParser.PartInfo
  readonly bytes: Uint8Array
}

/** What a part is as the value of its field, with bytes left as bytes. */
type Read = (part: Part) => Effect.Effect<unknown, SchemaIssue.Issue>

/** Reads a body as the fields of a payload as `codecFor` decodes it; nothing where no payload is one of fields. */
export const reader = (payload: Schema.Codec<unknown, unknown>, limits: Limits) => {
  const ast = SchemaAST.toType(payload.ast)
  if (!SchemaAST.isObjects(payload.ast) || !SchemaAST.isObjects(ast) || ast.propertySignatures.length === 0) {
    return undefined
  }
  const fields = new Map(payload.ast.propertySignatures.map(({ name, type }) => [String(name), field(type, limits)]))
  return (contentType: string, body: Uint8Array): Effect.Effect<unknown, SchemaIssue.Issue | Answer.Failure> => {
    const parts = split(contentType, body, limits)
    if ("status" in parts) return Effect.fail(parts)
    return Effect.forEach(
      Array.from(fields).filter(([name]) => parts.some(({ info }) => info.name === name)),
      ([name, read]) =>
        read(parts.filter(({ info }) => info.name === name)).pipe(
          Effect.mapBoth({
            onSuccess: (value) => [name, value] as const,
            onFailure: (issue) => new SchemaIssue.Pointer([name], issue)
          })
        ),
      { concurrency: 1 }
    ).pipe(Effect.map((entries) => Object.fromEntries(entries)))
  }
}

/** A field is one part; a list is one part of JSON, or as many parts as it has elements. */
const field = (type: SchemaAST.AST, limits: Limits) => {
  const one = valueOf(type, limits)
  const element = SchemaAST.isArrays(type) ? type.rest[0] : undefined
  const each = element === undefined ? undefined : valueOf(element, limits)
  return (parts: ReadonlyArray<Part>): Effect.Effect<unknown, SchemaIssue.Issue> => {
    const [first] = parts
    if (first === undefined || parts.length > 1 && each === undefined) {
      return Effect.fail(invalid("the part is there more than once"))
    }
    return each === undefined || parts.length === 1 && isJson(first) ? one(first) : Effect.forEach(parts, each)
  }
}

const isJson = ({ bytes, info }: Part): boolean =>
  info.contentType === "application/json" || info.filename === undefined && bytes[0] === 0x5b

const valueOf = (type: SchemaAST.AST, limits: Limits): Read => {
  if (isBytes(type)) return ({ bytes }) => Effect.succeed(bytes)
  const fromJson = jsonOf(type, limits)
  const tensor = TensorField.describe(type)
  if (tensor === undefined) return fromJson
  return (part) => {
    if (part.info.filename === undefined && part.info.contentType !== "application/octet-stream") return fromJson(part)
    const read = TensorField.fromFile(tensor, part.bytes, part.info.contentTypeParameters["shape"])
    return typeof read === "string" ? Effect.fail(invalid(read)) : Effect.succeed(read)
  }
}

/** A field that is text in JSON is the text of the part; any other is JSON. */
const jsonOf = (type: SchemaAST.AST, limits: Limits): Read => {
  // The fields of contracts are plain schemas, without services of their own.
  const schema = Schema.make<Schema.Codec<unknown, unknown>>(type)
  const json = Schema.toCodecJson(schema)
  const decode = SchemaParser.decodeUnknownEffect(json)
  const encode = SchemaParser.encodeUnknownEffect(codecFor(schema))
  const isText = isString(SchemaAST.toEncoded(json.ast))
  return ({ bytes, info }) => {
    const value = isText && info.contentType !== "application/json" ? textOf(bytes) : toJson(bytes, limits)
    return value === undefined
      ? Effect.fail(invalid("the part is no JSON in UTF-8 that this server takes"))
      : Effect.flatMap(decode(value), encode)
  }
}

const isString = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isString(ast) || SchemaAST.isTemplateLiteral(ast) ||
  SchemaAST.isLiteral(ast) && typeof ast.literal === "string" ||
  SchemaAST.isUnion(ast) && ast.types.every(isString)

const decoder = new TextDecoder("utf-8", { fatal: true })

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const toJson = (bytes: Uint8Array, limits: Limits): unknown => {
  try {
    return Json.parse(bytes, limits.maxJsonDepth)
  } catch {
    return undefined
  }
}

const invalid = (message: string) => new SchemaIssue.InvalidValue({ message })

const split = (contentType: string, body: Uint8Array, limits: Limits): ReadonlyArray<Part> | Answer.Failure => {
  const parts: Array<Part> = []
  let failure: Answer.Failure | undefined
  let isWhole = false
  const parser = MultipartParser.make({
    headers: { "content-type": contentType },
    isFile: () => false,
    maxParts: limits.maxParts,
    maxFieldSize: limits.maxPartSize,
    onField: (info, bytes) => void parts.push({ info, bytes }),
    onFile: () => () => undefined,
    onError: (error) => {
      failure ??= toFailure(error, limits)
    },
    onDone: () => {
      isWhole = true
    }
  })
  parser.write(body)
  parser.end()
  return failure ?? (isWhole ? parts : Answer.failure(400, "InvalidPayload", "the multipart body is cut off"))
}

const toFailure = (error: MultipartParser.MultipartError, limits: Limits): Answer.Failure => {
  switch (error._tag) {
    case "InvalidBoundary":
      return Answer.failure(400, "InvalidPayload", "the content-type of a multipart body names its boundary")
    case "BadHeaders":
    case "InvalidDisposition":
      return Answer.failure(400, "InvalidPayload", "a part has no `content-disposition: form-data; name=...`")
    case "EndNotReached":
      return Answer.failure(400, "InvalidPayload", "the multipart body is cut off")
    case "ReachedLimit":
      return Answer.failure(
        413,
        "PayloadTooLarge",
        error.limit === "MaxParts"
          ? `the body has more than the ${limits.maxParts} parts that this server takes`
          : `a part is larger than the ${limits.maxPartSize} bytes that this server takes`
      )
  }
}
