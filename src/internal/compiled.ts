/**
 * The schemas that every call goes through, as functions made for them.
 *
 * On Node, Effect writes the code of a schema when it is used first; a call through several fields is checked in a sixth
 * of the time. Where code may not be made, as with `--disallow-code-generation-from-strings`, it is interpreted as
 * everywhere else. What is accepted, and what is said of what is not, is the same.
 */
import { Effect, type Schema, SchemaAST, type SchemaIssue, SchemaParser } from "effect"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"

type Parser = (input: unknown) => Effect.Effect<unknown, SchemaIssue.Issue>

/** Decodes what a schema encodes to. */
export const decoder = (schema: Schema.Codec<unknown, unknown>): Parser => {
  compile(schema.ast)
  return SchemaParser.decodeUnknownEffect(schema)
}

/** Encodes a value, which is checked. */
export const encoder = (schema: Schema.Codec<unknown, unknown>): Parser => {
  compile(SchemaAST.flip(schema.ast))
  return SchemaParser.encodeUnknownEffect(schema)
}

/** Encodes a value that `maker` has checked, which is at once done where what travels is the value itself. */
export const encoderOfChecked = (schema: Schema.Codec<unknown, unknown>): Parser =>
  isOwnEncoding(schema.ast) ? Effect.succeed : encoder(schema)

/** Whether a schema surely encodes each value as that value. */
const isOwnEncoding = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding !== undefined) return false
  switch (ast._tag) {
    case "String":
    case "Number":
    case "Boolean":
    case "Null":
    case "Literal":
      return true
    case "Declaration":
      return ast.typeParameters.length === 0
    case "Arrays":
      return ast.encodingChecks === undefined && [...ast.elements, ...ast.rest].every(isOwnEncoding)
    case "Objects":
      return ast.encodingChecks === undefined && ast.indexSignatures.length === 0 &&
        ast.propertySignatures.every(({ type }) => isOwnEncoding(type))
    default:
      return false
  }
}

/** Checks a value, and puts the defaults of the schema into it. */
export const maker = (schema: Schema.Codec<unknown, unknown>): Parser => {
  compile(SchemaAST.toType(schema.ast))
  return SchemaParser.makeEffect(schema)
}

// A browser may report pages that try to make code.
const isNode = "process" in globalThis

const compile = (ast: SchemaAST.AST): void => {
  if (isNode) SchemaJITCompiler.enable(ast)
}
