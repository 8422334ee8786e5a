/**
 * What keeps a reader from understanding all that a writer may send.
 *
 * A field that only the writer knows is no difference, nor is an optional one
 * that only the reader knows: contracts may grow by optional fields.
 */
import type { Element, MethodContract, Part, Shape } from "./contractShape.ts"
import { toText } from "./contractText.ts"

/** How the two sides and what is sent are called in the text of a difference. */
export interface Names {
  readonly writer: string
  readonly reader: string
  /** The start of every path. */
  readonly path: string
}

/** What keeps the reader from understanding all that the writer may send, in words; `undefined` where nothing does. */
export const difference = (writer: Shape, reader: Shape, names: Names): string | undefined =>
  new Comparison(writer, reader, names).result()

/** How the contract that a caller has of a method differs from that of a replica; `undefined` where they agree. */
export const compare = (
  caller: MethodContract | undefined,
  replica: MethodContract | undefined
): string | undefined => {
  if (caller === undefined) return replica === undefined ? undefined : "the caller has no such method"
  if (replica === undefined) return "the replica has no such method"
  if (caller.stream !== replica.stream) {
    const [streams, other] = caller.stream ? ["caller", "replica"] : ["replica", "caller"]
    return `for the ${streams} the result is a stream, for the ${other} it is not`
  }
  return difference(caller.payload, replica.payload, { ...request, path: "payload" }) ??
    difference(replica.success, caller.success, { ...response, path: "success" }) ??
    difference(replica.error, caller.error, { ...response, path: "error" })
}

const request = { writer: "the caller", reader: "the replica" }
const response = { writer: "the replica", reader: "the caller" }

type Difference = string | undefined

/** Contracts that take more steps or levels than this to compare were made to do so. */
const maxSteps = 50_000
const maxDepth = 400

class Comparison {
  private readonly writer: Shape
  private readonly reader: Shape
  private readonly names: Names
  /** Pairs of parts that are known or, within their own comparison, taken to agree; in the order in which they came. */
  private readonly agreed = new Map<Part, Set<Part>>()
  private readonly trail: Array<readonly [Part, Part]> = []
  private steps = 0
  private depth = 0

  constructor(writer: Shape, reader: Shape, names: Names) {
    this.writer = writer
    this.reader = reader
    this.names = names
  }

  result(): Difference {
    const found = this.parts(this.writer.root, this.reader.root, this.names.path)
    return this.steps < maxSteps ? found : `${this.names.path}: too large to compare`
  }

  private parts(writer: Part, reader: Part, path: string): Difference {
    if (this.depth > maxDepth) this.steps = maxSteps
    if (this.steps >= maxSteps) return path
    this.steps++
    if (this.agreed.get(writer)?.has(reader) === true) return undefined
    const mark = this.trail.length
    this.assume(writer, reader)
    this.depth++
    const found = this.resolved(resolve(this.writer, writer), resolve(this.reader, reader), path)
    this.depth--
    // What agreed only because these two were taken to agree is open again.
    if (found !== undefined) this.forget(mark)
    return found
  }

  private assume(writer: Part, reader: Part): void {
    const known = this.agreed.get(writer)
    if (known === undefined) this.agreed.set(writer, new Set([reader]))
    else known.add(reader)
    this.trail.push([writer, reader])
  }

  private forget(mark: number): void {
    for (const [writer, reader] of this.trail.splice(mark)) this.agreed.get(writer)?.delete(reader)
  }

  private resolved(writer: Part, reader: Part, path: string): Difference {
    if (writer.type === "never" || reader.type === "any") return undefined
    if (writer.type === "union") return this.each(writer.members, (member) => this.parts(member, reader, path))
    if (writer.type === "stream" && reader.type === "stream") {
      return this.parts(writer.item, reader.item, `${path}[]`) ??
        this.parts(writer.error, reader.error, `${path}.error`)
    }
    switch (reader.type) {
      case "union":
        return this.member(writer, reader.members, path)
      case "json":
        return this.json(writer, reader, path)
      case "object":
        return writer.type === "object" ? this.objects(writer, reader, path) : this.unlike(writer, reader, path)
      case "array":
        return writer.type === "array" ? this.arrays(writer, reader, path) : this.unlike(writer, reader, path)
      default:
        return fits(writer, reader) ? undefined : this.unlike(writer, reader, path)
    }
  }

  private each<A>(values: ReadonlyArray<A>, compare: (value: A, index: number) => Difference): Difference {
    for (const [index, value] of values.entries()) {
      const found = compare(value, index)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Some member must take it all. Where one of them has the same tag, what is wrong with that one says most. */
  private member(writer: Part, members: ReadonlyArray<Part>, path: string): Difference {
    const found = members.map((member) => ({ member, difference: this.parts(writer, member, path) }))
    if (found.some(({ difference }) => difference === undefined)) return undefined
    const alike = found.filter(({ member }) => sameTag(writer, resolve(this.reader, member)))
    return alike.length === 1 ? alike[0]?.difference : this.unlike(writer, { type: "union", members }, path)
  }

  /** JSON is all that has no bytes in it. */
  private json(writer: Part, reader: Part, path: string): Difference {
    switch (writer.type) {
      case "object":
        return this.each(writer.fields, ({ name, part }) => this.parts(part, reader, `${path}.${name}`)) ??
          this.each(writer.rest, ({ part }) => this.parts(part, reader, `${path}[*]`))
      case "array":
        return this.each(writer.elements, ({ part }, index) => this.parts(part, reader, `${path}[${index}]`)) ??
          this.each(writer.rest, (part) => this.parts(part, reader, `${path}[]`))
      case "any":
      case "bytes":
      case "tensor":
      case "stream":
        return this.unlike(writer, reader, path)
      default:
        return undefined
    }
  }

  private objects(writer: ObjectPart, reader: ObjectPart, path: string): Difference {
    const sent = new Map(writer.fields.map((field) => [field.name, field]))
    const known = new Set(reader.fields.map(({ name }) => name))
    const others = reader.rest.filter(({ keys }) => keys === "string")
    return this.each(reader.fields, (field) => {
      const at = `${path}.${field.name}`
      const given = sent.get(field.name)
      if (given !== undefined) return this.elements(given, field, at)
      // What is sent under any name may come under this one too.
      return field.optional
        ? this.each(writer.rest, ({ part }) => this.parts(part, field.part, at))
        : this.missing(at)
    }) ??
      this.each(
        others,
        (other) =>
          this.each(
            writer.fields,
            ({ name, part }) => known.has(name) ? undefined : this.parts(part, other.part, `${path}.${name}`)
          )
      ) ?? this.each(writer.rest, ({ keys, part }) =>
        this.each(
          reader.rest,
          (other) =>
            other.keys === keys || other.keys === "string"
              ? this.parts(part, other.part, `${path}[*]`)
              : undefined
        ))
  }

  private elements(writer: Element, reader: Element, path: string): Difference {
    return writer.optional && !reader.optional
      ? `${path}: ${this.names.reader} needs it, ${this.names.writer} may leave it out`
      : this.parts(writer.part, reader.part, path)
  }

  private missing(path: string): string {
    return `${path}: ${this.names.reader} needs it, ${this.names.writer} does not send it`
  }

  private arrays(writer: ArrayPart, reader: ArrayPart, path: string): Difference {
    if (writer.rest.length > 1 || reader.rest.length > 1) return this.arraysWithEnd(writer, reader, path)
    const length = Math.max(writer.elements.length, reader.elements.length)
    return this.each(Array.from({ length }), (_, index) => {
      const at = `${path}[${index}]`
      const given = writer.elements[index] ?? repeated(writer)
      const taken = reader.elements[index] ?? repeated(reader)
      if (taken === undefined) return given === undefined ? undefined : this.surplus(at)
      if (given === undefined) return taken.optional ? undefined : this.missing(at)
      return this.elements(given, taken, at)
    }) ?? this.each(writer.rest, (part) => {
      const [taken] = reader.rest
      return taken === undefined ? this.surplus(`${path}[${length}]`) : this.parts(part, taken, `${path}[]`)
    })
  }

  private surplus(path: string): string {
    return `${path}: ${this.names.writer} may send it, ${this.names.reader} has no place for it`
  }

  /** Lists with fixed items at their end are compared place by place. */
  private arraysWithEnd(writer: ArrayPart, reader: ArrayPart, path: string): Difference {
    if (writer.elements.length !== reader.elements.length || writer.rest.length !== reader.rest.length) {
      return this.unlike(writer, reader, path)
    }
    return this.each(writer.elements, (given, index) => {
      const taken = reader.elements[index]
      return taken === undefined ? undefined : this.elements(given, taken, `${path}[${index}]`)
    }) ?? this.each(writer.rest, (part, index) => {
      const taken = reader.rest[index]
      return taken === undefined ? undefined : this.parts(part, taken, `${path}[]`)
    })
  }

  private unlike(writer: Part, reader: Part, path: string): string {
    const sends = toText(this.writer, writer)
    const takes = toText(this.reader, reader)
    return `${path}: ${this.names.writer} sends ${sends}, ${this.names.reader} takes ${takes}`
  }
}

type ObjectPart = Extract<Part, { readonly type: "object" }>
type ArrayPart = Extract<Part, { readonly type: "array" }>

/** The part that a reference stands for; references that only lead to each other stand for anything. */
const resolve = ({ definitions }: Shape, part: Part): Part => {
  let resolved = part
  for (let step = 0; step <= definitions.length; step++) {
    if (resolved.type !== "reference") return resolved
    resolved = definitions[resolved.to] ?? anything
  }
  return anything
}

const anything: Part = { type: "any" }

/** What a list may have at a place beyond its fixed ones. */
const repeated = ({ rest: [part] }: ArrayPart): Element | undefined =>
  part === undefined ? undefined : { optional: true, part }

const fits = (writer: Part, reader: Part): boolean => {
  switch (reader.type) {
    case "literal":
      return writer.type === "literal" && writer.value === reader.value
    case "tensor":
      return writer.type === "tensor" && writer.dtype === reader.dtype &&
        fitDimensions(writer.dimensions, reader.dimensions)
    case "string":
      return reader.format === undefined
        ? writer.type === "string" || isLiteral(writer, "string")
        : writer.type === "string" && writer.format === reader.format
    case "number":
    case "boolean":
      return writer.type === reader.type || isLiteral(writer, reader.type)
    default:
      return writer.type === reader.type
  }
}

const isLiteral = (part: Part, type: string): boolean => part.type === "literal" && typeof part.value === type

type Dimensions = ReadonlyArray<number | string>

const fitDimensions = (writer: Dimensions, reader: Dimensions): boolean =>
  writer.length === reader.length &&
  reader.every((dimension, axis) => typeof dimension === "string" || dimension === writer[axis])

/** Whether two objects have the same literal in a field of the same name, such as `_tag`. */
const sameTag = (writer: Part, reader: Part): boolean =>
  writer.type === "object" && reader.type === "object" && writer.fields.some(({ name, part }) => {
    const other = reader.fields.find((field) => field.name === name)?.part
    return part.type === "literal" && other?.type === "literal" && part.value === other.value
  })
