/** The payload and the result of a method as a tool has them: JSON objects, described by JSON Schema. */
import { SchemaAST } from "effect"
import * as Components from "../http/components.ts"

/** A schema of JSON objects, and how a value that is none becomes one. */
export interface ObjectSchema {
  readonly schema: { readonly type: "object"; readonly [key: string]: unknown }
  /** The field that holds a value which is no object itself. */
  readonly field: string | undefined
}

/** The JSON form of a schema; what is no object is the one field of an object. */
export const make = (ast: SchemaAST.AST, field: string): ObjectSchema => {
  if (SchemaAST.isVoid(ast)) return { schema: { type: "object", properties: {} }, field: undefined }
  const components = new Components.Components()
  const target = components.add(ast)
  const definitions = relocate(components.compile())
  const schema = inline(relocate(target), definitions)
  const $defs = Object.keys(definitions).length === 0 ? {} : { $defs: definitions }
  return isObject(schema)
    ? { schema: { ...schema, ...$defs }, field: undefined }
    : { schema: { type: "object", properties: { [field]: schema }, required: [field], ...$defs }, field }
}

/** The schema of an array in the place of one of its items. */
export const listOf = ({ field: inner, schema }: ObjectSchema, field: string): ObjectSchema => {
  const { $defs, ...item } = schema
  const items = inner === undefined ? item : property(item, inner)
  return {
    schema: {
      type: "object",
      properties: { [field]: { type: "array", items } },
      required: [field],
      ...$defs === undefined ? {} : { $defs }
    },
    field
  }
}

const property = (schema: Components.Json, name: string): unknown => {
  const { properties } = schema
  return typeof properties === "object" && properties !== null ? Reflect.get(properties, name) : {}
}

const isObject = (schema: Components.Json): schema is ObjectSchema["schema"] => schema["type"] === "object"

const from = "#/components/schemas/"
const to = "#/$defs/"

/** A tool has its definitions beside its schema, and not in the components of a document. */
const relocate = (json: Components.Json): Components.Json =>
  // What is relocated is JSON, and so is the result, with the same keys.
  JSON.parse(
    JSON.stringify(json, (key, value) =>
      key === "$ref" && typeof value === "string" && value.startsWith(from) ? to + value.slice(from.length) : value)
  ) as Components.Json

/** A root that is a reference has what it refers to in its place. */
const inline = (schema: Components.Json, definitions: Components.Json): Components.Json => {
  const { $ref } = schema
  const target = typeof $ref === "string" && $ref.startsWith(to) ? definitions[$ref.slice(to.length)] : undefined
  // A definition is a schema.
  return target === undefined ? schema : target as Components.Json
}
