/**
 * Requests and results without the names in them.
 *
 * The messages of a connection repeat themselves: a method is called with the same headers and the same fields. Who sends
 * them gives each such shape a number with the first message of it, and writes of those that follow only what is
 * different: to read and write the names of a small call takes longer than all else in it.
 *
 * A message is the JSON of `[4, shape, id, ...values]`. The first of a shape is `[5, description, id, ...]`, and the shape
 * has the next number. The values are those of the headers and then those that the fields hold, in their order, but for
 * typed arrays, which only some connections carry so.
 */
import * as Frames from "./frames.ts"
import { expand, type Short } from "./shortMessage.ts"

/** Any typed array. */
export type TypedArray = Exclude<NodeJS.TypedArray, Buffer>

export const isTypedArray = (u: unknown): u is TypedArray => ArrayBuffer.isView(u) && !(u instanceof DataView)

/** What is the same in messages of one shape. Requests have the tag of their method, and results none. */
export type Description = readonly [tag: string | null, headers: ReadonlyArray<string>, field: FieldDescription]

/** A value that JSON writes as it is, a typed array, or an object: its keys, each followed by its description. */
export type FieldDescription = typeof json | typeof typed | ReadonlyArray<string | FieldDescription>

const json = 0
const typed = 1

type Field = typeof json | typeof typed | Fields

interface Fields {
  readonly keys: ReadonlyArray<string>
  readonly fields: ReadonlyArray<Field>
  /** To copy an object and to replace what it holds is faster than to add fields to an empty one. */
  readonly sample: Readonly<Record<string, unknown>>
}

export interface Shape {
  readonly tag: string | null
  readonly headers: ReadonlyArray<string>
  /** The payload or the result. */
  readonly field: Field
  /** How many values there are. */
  readonly count: number
}

interface Numbered extends Shape {
  readonly number: number
}

/** Larger objects are written with their names. */
const maxFields = 64

const maxDepth = 8

/** Keys that are names of other things, such as in a dictionary, would make a shape of each message. */
const maxShapesOfTag = 16

/** Where in a message its values begin. */
export const valuesAt = 3

/** Gives what writes a request or a result; nothing for one that has no shape. */
export const makeWriter = <Written>(options: {
  readonly takesArrays: boolean
  /** How many shapes the other end keeps, and whether it would keep such a one. */
  readonly maxShapes: number
  readonly isKept: (description: Description) => boolean
  /** Nothing for the first message of a shape leaves the shape unknown. */
  readonly write: (
    values: Array<unknown>,
    arrays: ReadonlyArray<TypedArray>,
    isFirst: boolean
  ) => Written | undefined
}) => {
  const byTag = new Map<string | null, Array<Numbered>>()
  let count = 0

  const shapesOf = (tag: string | null) => {
    const known = byTag.get(tag)
    if (known !== undefined) return known
    const added: Array<Numbered> = []
    byTag.set(tag, added)
    return added
  }

  return (short: Short): Written | undefined => {
    const tag = short[0] === 0 ? short[2] : null
    const headers = short[0] === 0 ? short[3] : noHeaders
    const value = short[0] === 0 ? short[4] : short[2]
    if (value === undefined || !isTag(tag) || !isHeaders(headers)) return undefined
    const shapes = shapesOf(tag)
    for (const { field, headers: names, number } of shapes) {
      const values: Array<unknown> = [4, number, short[1]]
      const arrays: Array<TypedArray> = []
      if (pushHeaders(values, headers, names) && pushValues(values, arrays, value, field)) {
        return options.write(values, arrays, false)
      }
    }
    if (shapes.length === maxShapesOfTag || count === options.maxShapes) return undefined
    const field = describe(value, options.takesArrays)
    if (field === undefined) return undefined
    const description: Description = [tag, headers.map(([name]) => name), field]
    if (!options.isKept(description)) return undefined
    const shape = { ...shapeOf(description), number: count }
    const values: Array<unknown> = [5, description, short[1]]
    const arrays: Array<TypedArray> = []
    pushHeaders(values, headers, shape.headers)
    pushValues(values, arrays, value, shape.field)
    const written = options.write(values, arrays, true)
    if (written === undefined) return undefined
    // Not before: a message that cannot be written tells nobody of its shape.
    shapes.push(shape)
    count++
    return written
  }
}

/** Whether a writer of this module wrote this JSON. */
export const hasShape = (head: unknown): head is ReadonlyArray<unknown> =>
  Array.isArray(head) && (head[0] === 4 || head[0] === 5)

/** The message with this id, of which the values are taken. */
export const read = (values: Values, id: unknown, { field, headers, tag }: Shape): object | undefined => {
  const carried = headers.map((name) => [name, values.next(json)])
  const value = values.next(field)
  return expand(tag === null ? [1, id, value] : [0, id, tag, carried, value])
}

/** The values of a message, taken one after another. */
export class Values {
  protected head: ReadonlyArray<unknown> = []
  #at = 0

  start(head: ReadonlyArray<unknown>): void {
    this.head = head
    this.#at = valuesAt
  }

  /** Lets go of the message. */
  end(): void {
    this.start([])
  }

  next(field: Field): unknown {
    if (field === json) return this.head[this.#at++]
    return field === typed ? this.nextArray() : this.#object(field)
  }

  /** Typed arrays are among the values only where the connection carries them so. */
  protected nextArray(): unknown {
    return undefined
  }

  #object({ fields, keys, sample }: Fields): object {
    const object: Record<string, unknown> = { ...sample }
    for (let index = 0; index < keys.length; index++) object[keys[index]!] = this.next(fields[index]!)
    return object
  }
}

type Headers = ReadonlyArray<readonly [string, unknown]>

const noHeaders: Headers = []

const isTag = (tag: unknown): tag is string | null => typeof tag === "string" || tag === null

const isHeaders = (headers: unknown): headers is Headers => Array.isArray(headers)

const pushHeaders = (values: Array<unknown>, headers: Headers, names: ReadonlyArray<string>): boolean => {
  if (headers.length !== names.length) return false
  for (let index = 0; index < names.length; index++) {
    const [name, value] = headers[index]!
    if (name !== names[index]) return false
    values.push(value)
  }
  return true
}

/** Whether a value is such a field: an object has its keys and no others, in their order. */
const pushValues = (values: Array<unknown>, arrays: Array<TypedArray>, value: unknown, field: Field): boolean => {
  if (field === json) return isJson(value) && values.push(value) > 0
  if (field === typed) return isTypedArray(value) && arrays.push(value) > 0
  if (!isRecord(value)) return false
  const { fields, keys } = field
  let index = 0
  for (const key in value) {
    if (key !== keys[index] || !pushValues(values, arrays, value[key], fields[index]!)) return false
    index++
  }
  return index === keys.length
}

/** What JSON writes as it is, with no names in it except within arrays. */
const isJson = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || value === null ||
  (typeof value === "number" || Array.isArray(value)) && Frames.isPlain(value)

/** Whether a value is an object that is of no class. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Nothing for what is written with its names. */
const describe = (value: unknown, takesArrays: boolean, depth = 0): FieldDescription | undefined => {
  if (isJson(value)) return json
  if (isTypedArray(value)) return takesArrays ? typed : undefined
  if (!isRecord(value) || depth === maxDepth) return undefined
  const described: Array<string | FieldDescription> = []
  for (const key in value) {
    const field = key === "__proto__" ? undefined : describe(value[key], takesArrays, depth + 1)
    if (field === undefined || described.length === 2 * maxFields) return undefined
    described.push(key, field)
  }
  return described
}

/** Whether `describe` can give this for a value without typed arrays, with so many keys and characters in it at most. */
export const isDescriptionOfJson = (u: unknown, maxKeys: number, maxLength: number): u is Description => {
  if (!Array.isArray(u) || u.length !== 3) return false
  const [tag, headers, field] = u
  let keys = 0
  let length = 0
  const isName = (name: unknown) =>
    typeof name === "string" && name !== "__proto__" && ++keys <= maxKeys && (length += name.length) <= maxLength
  const isField = (field: unknown, depth: number): boolean => {
    if (field === json) return true
    if (!Array.isArray(field) || depth === maxDepth || field.length % 2 === 1) return false
    return field.every((part, at) => at % 2 === 0 ? isName(part) : isField(part, depth + 1))
  }
  return (tag === null || isName(tag)) && Array.isArray(headers) && headers.every(isName) && isField(field, 0)
}

export const shapeOf = ([tag, headers, description]: Description): Shape => {
  const field = fieldOf(description)
  return { tag, headers, field, count: headers.length + countOf(field) }
}

const countOf = (field: Field): number => {
  if (field === json) return 1
  return field === typed ? 0 : field.fields.reduce<number>((sum, inner) => sum + countOf(inner), 0)
}

const fieldOf = (description: FieldDescription): Field => {
  if (typeof description === "number") return description
  const keys: Array<string> = []
  const fields: Array<Field> = []
  for (let at = 0; at < description.length; at += 2) {
    // Each key is followed by what describes its field.
    keys.push(description[at] as string)
    fields.push(fieldOf(description[at + 1] as FieldDescription))
  }
  return { keys, fields, sample: sampleOf(keys) }
}

/**
 * An object whose fields have held values of several kinds, so that V8 expects any of its copies. It would make another
 * class of them otherwise, of which a garbage collection leaves nothing, nor of the code that was optimized for it.
 */
const sampleOf = (keys: ReadonlyArray<string>): Record<string, unknown> => {
  const sample: Record<string, unknown> = {}
  for (const value of [0, "", null]) for (const key of keys) sample[key] = value
  return sample
}
