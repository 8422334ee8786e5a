/** The shape of a schema, and of the methods of a contract. */
import { type Schema, SchemaAST } from "effect"
import type * as Tensor from "../Tensor.ts"
import { codecFor, isBytes } from "./bytesCodec.ts"
import type { Definition } from "./contract.ts"
import {
  canonical,
  type Element,
  type Field,
  maxDefinitions,
  type MethodContract,
  type Part,
  type Shape
} from "./contractShape.ts"
import { itemsOf } from "./payloadStream.ts"

/**
 * The structure of what a schema sends.
 *
 * A recursive schema that makes new schemas without end is followed through its first 100; the others are `any`.
 */
export const describe = (schema: Schema.Top): Shape => {
  const targets: Array<SchemaAST.AST> = []
  const definitions: Array<Part> = []
  const root = describePart(codecFor(schema).ast, targets)
  // Describing one definition can name more of them.
  for (let index = 0; index < targets.length; index++) definitions.push(describePart(targets[index]!, targets))
  return { root, definitions }
}

/** The shapes of the methods of a service, by name. */
export const describeService = (
  methods: ReadonlyMap<string, Definition>
): Readonly<Record<string, MethodContract>> =>
  Object.fromEntries(Array.from(methods, ([name, method]) => [name, describeMethod(method)]))

/** The shapes of one method. */
export const describeMethod = ({ error, payload, stream, success }: Definition): MethodContract => ({
  payload: describe(payload),
  success: describe(success),
  error: describe(error),
  stream
})

const describePart = (ast: SchemaAST.AST, targets: Array<SchemaAST.AST>): Part => {
  const stream = itemsOf(ast)
  if (stream !== undefined) {
    return {
      type: "stream",
      item: describePart(codecFor(stream.item).ast, targets),
      error: describePart(codecFor(stream.error).ast, targets)
    }
  }
  const tensor = tensorOf(ast)
  if (tensor !== undefined) return { type: "tensor", ...tensor }
  const encoded = encodedSide(ast)
  if (encoded !== ast) return withFormat(describePart(encoded, targets), ast)
  switch (ast._tag) {
    case "Objects":
      return describeObject(ast, targets)
    case "Arrays":
      return describeArray(ast, targets)
    case "Union":
      return union(ast.types.map((member) => describePart(member, targets)))
    case "Suspend":
      return reference(ast.thunk(), targets)
    case "Enum":
      return union(ast.enums.map(([, value]) => ({ type: "literal", value })))
    case "Declaration":
      return isBytes(ast) ? { type: "bytes" } : { type: "json" }
    default:
      return describeLeaf(ast)
  }
}

const describeLeaf = (ast: SchemaAST.AST): Part => {
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return { type: "string" }
    case "Number":
      return { type: "number" }
    case "Boolean":
      return { type: "boolean" }
    case "Null":
      return { type: "null" }
    case "Never":
      return { type: "never" }
    case "Literal":
      return typeof ast.literal === "bigint"
        ? { type: "string", format: "bigint" }
        : { type: "literal", value: ast.literal }
    default:
      return { type: "any" }
  }
}

const describeObject = (ast: SchemaAST.Objects, targets: Array<SchemaAST.AST>): Part => {
  const fields = ast.propertySignatures.map(({ name, type }): readonly [string, SchemaAST.AST] => [String(name), type])
    .sort(([left], [right]) => left < right ? -1 : 1)
    .map(([name, type]): Field => ({ name, ...describeElement(type, targets) }))
  const rest = ast.indexSignatures.map(({ parameter, type }) => ({
    keys: keysOf(parameter),
    part: describePart(type, targets)
  }))
  return { type: "object", fields, rest: sorted(rest) }
}

/** A list that must have at least one item is a list: how many items there are is a check of the value. */
const describeArray = (ast: SchemaAST.Arrays, targets: Array<SchemaAST.AST>): Part => {
  const elements = ast.elements.map((type) => describeElement(type, targets))
  const rest = ast.rest.map((type) => describePart(type, targets))
  const item = rest.length === 1 ? canonical(rest[0]) : undefined
  const isList = elements.every(({ optional, part }) => !optional && canonical(part) === item)
  return { type: "array", elements: isList ? [] : elements, rest }
}

const describeElement = (ast: SchemaAST.AST, targets: Array<SchemaAST.AST>): Element => ({
  optional: SchemaAST.isOptional(encodedSide(ast)),
  part: describePart(ast, targets)
})

const keysOf = (parameter: SchemaAST.AST): string => {
  const encoded = encodedSide(parameter)
  return SchemaAST.isTemplateLiteral(encoded) ? encoded.parts.map(templatePart).join("") : encoded._tag.toLowerCase()
}

const templatePart = (part: SchemaAST.AST): string =>
  SchemaAST.isLiteral(part) ? String(part.literal) : `\${${part._tag.toLowerCase()}}`

const reference = (target: SchemaAST.AST, targets: Array<SchemaAST.AST>): Part => {
  const known = targets.indexOf(target)
  if (known >= 0) return { type: "reference", to: known }
  return targets.length >= maxDefinitions ? { type: "any" } : { type: "reference", to: targets.push(target) - 1 }
}

/** A union without its order, without what it says twice, and without unions in it. */
const union = (members: ReadonlyArray<Part>): Part => {
  const flat = members.flatMap((member) => member.type === "union" ? member.members : [member])
  const distinct = sorted(Array.from(new Map(flat.map((member) => [canonical(member), member])).values()))
  const [only] = distinct
  return only !== undefined && distinct.length === 1 ? only : { type: "union", members: distinct }
}

const sorted = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values.map((value) => ({ value, key: canonical(value) }))
    .sort((left, right) => left.key < right.key ? -1 : 1)
    .map(({ value }) => value)

/** What a node becomes on the wire, through all of its encodings. */
const encodedSide = (ast: SchemaAST.AST): SchemaAST.AST => {
  const last = ast.encoding?.at(-1)
  return last === undefined ? ast : encodedSide(last.to)
}

/** A text in which something else is written is not any text. */
const withFormat = (part: Part, decoded: SchemaAST.AST): Part => {
  if (part.type !== "string") return part
  const format = formatOf(decoded)
  return format === undefined ? part : { ...part, format }
}

const formatOf = (ast: SchemaAST.AST): string | undefined => {
  switch (ast._tag) {
    case "BigInt":
    case "Number":
    case "Boolean":
      return ast._tag.toLowerCase()
    case "Declaration":
      return representation(ast)?.id === "effect/schema/Date" ? "date" : undefined
    default:
      return undefined
  }
}

interface Representation {
  readonly id: string
  readonly payload: unknown
}

const representation = (ast: SchemaAST.AST): Representation | undefined =>
  // Effect says of this annotation that it is an id and its data.
  ast.annotations?.["representation"] as Representation | undefined

interface TensorType {
  readonly dtype: string
  readonly dimensions: ReadonlyArray<Tensor.Dimension>
}

const tensorOf = (ast: SchemaAST.AST): TensorType | undefined => {
  const known = representation(ast)
  // Only `Tensor.schema` writes this id, with this.
  return known?.id === "chorale/Tensor" ? known.payload as TensorType : undefined
}
