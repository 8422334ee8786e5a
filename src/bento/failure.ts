/** What a BentoML server means by an answer that is no success. */
import { Option, Schema, SchemaAST } from "effect"
import * as Answer from "../http/answer.ts"
import * as ForeignCall from "../http/foreignCall.ts"
import type * as Model from "../Model.ts"

/** An error object, which one version of BentoML puts into an array. */
const ErrorBody = Schema.Record(Schema.String, Schema.Unknown)
const Body = Schema.fromJsonString(Schema.Union([ErrorBody, Schema.NonEmptyArray(ErrorBody)]))

const decodeBody = Schema.decodeUnknownOption(Body)

/**
 * A declared error where the status is that of its `httpApiStatus` and the body has its fields, or it has one field, a
 * text, and the body a sentence; otherwise what the status says.
 */
export const reader = (method: Model.Definition): (refusal: ForeignCall.Refusal) => unknown => {
  const declared = Answer.declaredErrors(method).map(({ ast, status }) => ({ status, read: errorReader(ast) }))
  return (refusal) => {
    const body = bodyOf(refusal.text)
    const message = typeof body["error"] === "string" ? body["error"] : refusal.text.slice(0, 200)
    for (const { read, status } of declared) {
      const error = status === refusal.status ? read(body, message) : Option.none()
      if (Option.isSome(error)) return error.value
    }
    return ForeignCall.toReason(refusal, message)
  }
}

const bodyOf = (text: string): Readonly<Record<string, unknown>> => {
  const body = Option.getOrUndefined(decodeBody(text)) ?? {}
  // An array of this schema has an element, and an object of it has no such key.
  return 0 in body ? body[0] as Readonly<Record<string, unknown>> : body
}

const errorReader = (ast: SchemaAST.AST) => {
  // The errors of contracts are plain schemas, without services of their own.
  const decode = Schema.decodeUnknownOption(Schema.toCodecJson(Schema.make<Schema.Codec<unknown, unknown>>(ast)))
  const encoded = SchemaAST.toEncoded(ast)
  const fields = SchemaAST.isObjects(encoded) ? encoded.propertySignatures : []
  const tag = fields.find(({ name }) => name === "_tag")?.type
  const others = fields.filter(({ name }) => name !== "_tag")
  const [only] = others
  const sentence = others.length === 1 && only !== undefined && SchemaAST.isString(only.type) ? only.name : undefined
  const tagged = tag !== undefined && SchemaAST.isLiteral(tag) ? { _tag: tag.literal } : {}
  return (body: Readonly<Record<string, unknown>>, message: string): Option.Option<unknown> => {
    const whole = decode({ ...tagged, ...body })
    return Option.isSome(whole) || sentence === undefined ? whole : decode({ ...tagged, [sentence]: message })
  }
}
