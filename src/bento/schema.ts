/** The description of a service that BentoML's clients read: `/schema.json`. */
import { SchemaAST } from "effect"
import * as Components from "../http/components.ts"
import * as TensorField from "../http/tensorField.ts"
import { isBytes } from "../internal/bytesCodec.ts"
import type * as Model from "../Model.ts"

type Json = Components.Json

export const make = (name: string, methods: ReadonlyArray<Model.Definition>): Json => ({
  name,
  type: "service",
  routes: methods.map((method) => ({
    name: method.name,
    route: `/${method.name}`,
    batchable: false,
    input: input(method.payload.ast),
    output: output(method),
    is_task: false
  }))
})

/** The fields of a payload are arguments by name; a payload without fields is the one argument there is. */
const input = (payload: SchemaAST.AST): Json => {
  const fields = fieldsOf(payload)
  if (fields === undefined) return { ...valueOf(payload), root_input: true }
  return {
    type: "object",
    title: "Input",
    properties: Object.fromEntries(fields.map(({ name, type }) => [String(name), valueOf(type)])),
    required: fields.filter(({ type }) => !SchemaAST.isOptional(type)).map(({ name }) => String(name))
  }
}

/** The fields of a payload that is a struct; none where it is nothing at all. */
export const fieldsOf = (payload: SchemaAST.AST): ReadonlyArray<SchemaAST.PropertySignature> | undefined => {
  if (SchemaAST.isVoid(payload)) return []
  return SchemaAST.isObjects(payload) && payload.encoding === undefined ? payload.propertySignatures : undefined
}

/** What a value is in JSON, with the types that BentoML adds. */
export const valueOf = (ast: SchemaAST.AST): Json => {
  if (isBytes(ast)) return { type: "file", format: "binary" }
  const tensor = TensorField.describe(ast)
  if (tensor !== undefined) return tensorOf(tensor)
  const element = SchemaAST.isArrays(ast) ? ast.rest[0] : undefined
  if (element !== undefined && (isBytes(element) || TensorField.describe(element) !== undefined)) {
    return { type: "array", items: valueOf(element) }
  }
  const components = new Components.Components()
  const schema = components.add(ast)
  const definitions = components.compile()
  return Object.keys(definitions).length === 0 ? schema : { ...schema, components: { schemas: definitions } }
}

const tensorOf = ({ dimensions, dtype }: TensorField.Description): Json => ({
  type: "tensor",
  format: "numpy-array",
  dtype: dtype === "bool" ? "bool_" : dtype,
  // BentoML knows no names of sizes.
  ...dimensions.every((dimension) => typeof dimension === "number") ? { shape: dimensions } : {}
})

/** A result of bytes is bytes in Python too, and not a file. */
export const output = ({ stream, success }: Model.Definition): Json => ({
  ...isBytes(success.ast) ? { type: "string", format: "binary" } : valueOf(success.ast),
  ...stream ? { is_stream: true, media_type: "text/event-stream" } : {}
})
