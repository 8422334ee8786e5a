/**
 * What travels between a caller and a replica, as plain data.
 *
 * The shape of a schema is the structure of its encoded side, without the
 * checks of its values. It survives JSON, so two programs that were built at
 * different times can tell how their contracts differ.
 */
import { Option, Schema } from "effect"

/** One part of what travels; a `reference` is an index into the definitions of its shape. */
export type Part =
  | { readonly type: "any" | "json" | "never" | "null" | "boolean" | "number" | "bytes" }
  | { readonly type: "string"; readonly format?: string }
  | { readonly type: "literal"; readonly value: string | number | boolean }
  | { readonly type: "tensor"; readonly dtype: string; readonly dimensions: ReadonlyArray<number | string> }
  | { readonly type: "object"; readonly fields: ReadonlyArray<Field>; readonly rest: ReadonlyArray<Rest> }
  | { readonly type: "array"; readonly elements: ReadonlyArray<Element>; readonly rest: ReadonlyArray<Part> }
  | { readonly type: "union"; readonly members: ReadonlyArray<Part> }
  | { readonly type: "stream"; readonly item: Part; readonly error: Part }
  | { readonly type: "reference"; readonly to: number }

/** A value at a place that may be left out. */
export interface Element {
  readonly optional: boolean
  readonly part: Part
}

/** A field of an object. Fields are in the order of their names. */
export interface Field extends Element {
  readonly name: string
}

/** The other fields of an object: what their names are, and what they hold. */
export interface Rest {
  readonly keys: string
  readonly part: Part
}

/** The structure of what a schema sends. */
export interface Shape {
  readonly root: Part
  /** The parts that contain themselves, in the order in which they are met. */
  readonly definitions: ReadonlyArray<Part>
}

/** The shapes of one method of a contract. */
export interface MethodContract {
  readonly payload: Shape
  readonly success: Shape
  readonly error: Shape
  readonly stream: boolean
}

/** The schema of a part; `parse` bounds its depth and size. */
const Part: Schema.Codec<Part> = Schema.suspend(() => AnyPart)

const Element = { optional: Schema.Boolean, part: Part }

const AnyPart = Schema.Union([
  Schema.Struct({ type: Schema.Literals(["any", "json", "never", "null", "boolean", "number", "bytes"]) }),
  Schema.Struct({ type: Schema.Literal("string"), format: Schema.optionalKey(Schema.String) }),
  Schema.Struct({
    type: Schema.Literal("literal"),
    value: Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])
  }),
  Schema.Struct({
    type: Schema.Literal("tensor"),
    dtype: Schema.String,
    dimensions: Schema.Array(Schema.Union([Schema.Finite, Schema.String]))
  }),
  Schema.Struct({
    type: Schema.Literal("object"),
    fields: Schema.Array(Schema.Struct({ name: Schema.String, ...Element })),
    rest: Schema.Array(Schema.Struct({ keys: Schema.String, part: Part }))
  }),
  Schema.Struct({
    type: Schema.Literal("array"),
    elements: Schema.Array(Schema.Struct(Element)),
    rest: Schema.Array(Part)
  }),
  Schema.Struct({ type: Schema.Literal("union"), members: Schema.Array(Part) }),
  Schema.Struct({ type: Schema.Literal("stream"), item: Part, error: Part }),
  Schema.Struct({ type: Schema.Literal("reference"), to: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
])

/** The schema of a shape. */
export const Shape: Schema.Codec<Shape> = Schema.Struct({ root: Part, definitions: Schema.Array(Part) })

/** The schema of the shapes of a method. */
export const MethodContract: Schema.Codec<MethodContract> = Schema.Struct({
  payload: Shape,
  success: Shape,
  error: Shape,
  stream: Schema.Boolean
})

/** The contract of a method that somebody else sent; none where it is no contract, or too deep or too large for one. */
export const parse = (input: unknown): Option.Option<MethodContract> => {
  if (!isBounded(input)) return Option.none()
  return Option.filter(decode(input), ({ error, payload, success }) => [payload, success, error].every(isClosed))
}

/**
 * A short text that is equal for equal shapes, and for the contracts of methods made of them.
 *
 * It depends on neither the order in which a schema names its fields nor the names of dimensions: FNV-1a of 64 bits
 * (Fowler, Noll, Vo) over canonical JSON, in base 36.
 */
export const fingerprint = (self: Shape | MethodContract): string => {
  let hash = offsetBasis
  for (const byte of new TextEncoder().encode(canonical(self))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime)
  }
  return hash.toString(36).padStart(13, "0")
}

/** JSON with its keys in order. */
export const canonical = (value: unknown): string => JSON.stringify(value, ordered)

const offsetBasis = 0xcbf29ce484222325n
const prime = 0x100000001b3n

const ordered = (key: string, value: unknown): unknown => {
  if (key === "dimensions" && Array.isArray(value)) {
    return value.map((dimension) => typeof dimension === "number" ? dimension : null)
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => left < right ? -1 : 1))
}

const decode = Schema.decodeUnknownOption(MethodContract)

const maxDepth = 128
const maxValues = 100_000

/** How many parts of one shape may contain themselves. */
export const maxDefinitions = 100

/** Whether a value is shallow and small enough to be decoded at all. */
const isBounded = (input: unknown): boolean => {
  let level: ReadonlyArray<unknown> = [input]
  let values = 0
  for (let depth = 0; depth < maxDepth; depth++) {
    values += level.length
    if (values > maxValues) return false
    level = level.flatMap((value) => typeof value === "object" && value !== null ? Object.values(value) : [])
    if (level.length === 0) return true
  }
  return false
}

/** Whether every reference of a shape has a definition, and leads to a value. */
const isClosed = ({ definitions, root }: Shape): boolean => {
  const refersInside = (part: Part): boolean =>
    part.type === "reference" ? part.to < definitions.length : children(part).every(refersInside)
  return definitions.length <= maxDefinitions && [root, ...definitions].every(refersInside) &&
    !hasCycle(definitions.map(targets))
}

/** What a part is, or may be, by reference, without a value around it. */
const targets = (part: Part): ReadonlyArray<number> =>
  part.type === "reference" ? [part.to] : part.type === "union" ? part.members.flatMap(targets) : []

const hasCycle = (edges: ReadonlyArray<ReadonlyArray<number>>): boolean => {
  const finished = new Set<number>()
  const above = new Set<number>()
  const returns = (node: number): boolean => {
    if (above.has(node)) return true
    if (finished.has(node)) return false
    above.add(node)
    const found = edges[node]?.some(returns) === true
    above.delete(node)
    finished.add(node)
    return found
  }
  return edges.some((_, node) => returns(node))
}

/** The parts directly inside a part. */
const children = (part: Part): ReadonlyArray<Part> => {
  switch (part.type) {
    case "object":
      return [...part.fields, ...part.rest].map(({ part }) => part)
    case "array":
      return [...part.elements.map(({ part }) => part), ...part.rest]
    case "union":
      return part.members
    case "stream":
      return [part.item, part.error]
    default:
      return []
  }
}
