/**
 * Requests and results without the names in them.
 *
 * The messages of a port repeat themselves: a method is called with the same headers and the same fields. Its sender gives
 * each such shape a number with the first message of it, and writes of those that follow only what is different: names
 * are a tenth of a call, and to clone objects takes several times as long as to clone what is in them.
 *
 * A message is the JSON of `[4, shape, id, ...values, ...places]`. The first of a shape is `[5, description, id, ...]`, and
 * the shape has the next number. The values are those of the headers and then those that the fields hold, in their order,
 * but for typed arrays: a message with some is an array of its JSON and of them. Places, of which there is one for each
 * typed array or none at all, say which of these are in buffers that the reader keeps.
 */
import * as ExternalMemory from "../../internal/externalMemory.ts"
import * as Frames from "../../internal/frames.ts"
import { expand, type Short } from "../../internal/shortMessage.ts"
import type * as SharedBuffers from "./sharedBuffers.ts"

type TypedArray = SharedBuffers.TypedArray

export const isTypedArray = (u: unknown): u is TypedArray => ArrayBuffer.isView(u) && !(u instanceof DataView)

/** A message as it is posted. */
export type Posted = string | readonly [string, ...ReadonlyArray<TypedArray>]

/** What is the same in messages of one shape. Requests have the tag of their method, and results none. */
type Description = readonly [tag: string | null, headers: ReadonlyArray<string>, field: FieldDescription]

/** A value that JSON writes as it is, a typed array, or an object: its keys, each followed by its description. */
type FieldDescription = typeof json | typeof typed | ReadonlyArray<string | FieldDescription>

const json = 0
const typed = 1

type Field = typeof json | typeof typed | Fields

interface Fields {
  readonly keys: ReadonlyArray<string>
  readonly fields: ReadonlyArray<Field>
  /** To copy an object and to replace what it holds is faster than to add fields to an empty one. */
  readonly sample: Readonly<Record<string, unknown>>
}

interface Shape {
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

/** Keys that are names of other things, such as in a dictionary, would make a shape of each message. */
const maxShapes = 16

/** Gives what writes a request or a result; nothing for one that has no shape. `give` makes an array what can be posted. */
export const makeWriter = (give: (array: TypedArray) => TypedArray, buffers: SharedBuffers.Sender) => {
  const byTag = new Map<string | null, Array<Numbered>>()
  let count = 0

  const shapesOf = (tag: string | null) => {
    const known = byTag.get(tag)
    if (known !== undefined) return known
    const added: Array<Numbered> = []
    byTag.set(tag, added)
    return added
  }

  return (short: Short): Posted | undefined => {
    const tag = short[0] === 0 ? short[2] : null
    const headers = short[0] === 0 ? short[3] : noHeaders
    const value = short[0] === 0 ? short[4] : short[2]
    if (value === undefined || !isTag(tag) || !isHeaders(headers)) return undefined
    const shapes = shapesOf(tag)
    for (const { field, headers: names, number } of shapes) {
      const values: Array<unknown> = [4, number, short[1]]
      const arrays: Array<TypedArray> = []
      if (pushHeaders(values, headers, names) && pushValues(values, arrays, value, field)) {
        return post(values, arrays, give, buffers)
      }
    }
    const field = shapes.length < maxShapes ? describe(value) : undefined
    if (field === undefined) return undefined
    const description: Description = [tag, headers.map(([name]) => name), field]
    const shape = { ...shapeOf(description), number: count }
    const values: Array<unknown> = [5, description, short[1]]
    const arrays: Array<TypedArray> = []
    pushHeaders(values, headers, shape.headers)
    pushValues(values, arrays, value, shape.field)
    const posted = post(values, arrays, give, buffers)
    // Not before: a message that cannot be written tells nobody of its shape.
    shapes.push(shape)
    count++
    return posted
  }
}

const post = (
  values: Array<unknown>,
  arrays: ReadonlyArray<TypedArray>,
  give: (array: TypedArray) => TypedArray,
  buffers: SharedBuffers.Sender
): Posted => {
  if (arrays.length === 0) return JSON.stringify(values)
  const places = arrays.map(buffers.placeOf)
  if (places.some((place) => place !== 0)) values.push(...places)
  const text = JSON.stringify(values)
  const posted: Array<TypedArray> = []
  for (let index = 0; index < arrays.length; index++) {
    const array = arrays[index]!
    const place = places[index]!
    // Not before: a message that cannot be written tells nobody of its buffers.
    buffers.sent(array, place)
    if (place === 0 || place.length === 1) posted.push(give(array))
  }
  return posted.length === 0 ? text : [text, ...posted]
}

/** Whether this is a message that was posted with typed arrays. */
export const hasArrays = (u: unknown): u is Exclude<Posted, string> =>
  Array.isArray(u) && u.length > 1 && isTypedArray(u[1])

/** Whether a writer of this module wrote this JSON. */
export const hasShape = (head: unknown): head is ReadonlyArray<unknown> =>
  Array.isArray(head) && (head[0] === 4 || head[0] === 5)

/** Gives what makes messages of all that the writer at the other end wrote, in its order, and of the JSON in each. */
export const makeReader = (buffers: SharedBuffers.Receiver) => {
  const shapes: Array<Shape> = []
  const values = new Values(buffers)
  const shapeAt = (kind: unknown, which: unknown): Shape => {
    // The writer of this module wrote both.
    if (kind === 4) return shapes[which as number]!
    const shape = shapeOf(which as Description)
    shapes.push(shape)
    return shape
  }
  return (head: ReadonlyArray<unknown>, posted: Posted): object | undefined => {
    const { count, field, headers, tag } = shapeAt(head[0], head[1])
    values.begin(head, count, posted)
    const carried = headers.map((name) => [name, values.next(json)])
    const value = values.next(field)
    values.end()
    return expand(tag === null ? [1, head[2], value] : [0, head[2], tag, carried, value])
  }
}

const valuesAt = 3

/** The values of a message, taken one after another. */
class Values {
  readonly #buffers: SharedBuffers.Receiver
  #head: ReadonlyArray<unknown> = []
  #posted: Posted = ""
  #at = 0
  #placeAt = 0
  #arrayAt = 0

  constructor(buffers: SharedBuffers.Receiver) {
    this.#buffers = buffers
  }

  begin(head: ReadonlyArray<unknown>, count: number, posted: Posted): void {
    this.#head = head
    this.#posted = posted
    this.#at = valuesAt
    this.#placeAt = valuesAt + count
    this.#arrayAt = 1
  }

  end(): void {
    this.begin([], 0, "")
  }

  next(field: Field): unknown {
    if (field === json) return this.#head[this.#at++]
    return field === typed ? this.#array() : this.#object(field)
  }

  #array(): TypedArray {
    if (this.#placeAt >= this.#head.length) return this.#nextPosted()
    // The writer of this module wrote them.
    const place = this.#head[this.#placeAt++] as SharedBuffers.Place
    return this.#buffers.arrayAt(place, () => this.#nextPosted())
  }

  #nextPosted(): TypedArray {
    // A shape with typed arrays was posted with them.
    const array = this.#posted[this.#arrayAt++] as TypedArray
    if (array.buffer instanceof ArrayBuffer) ExternalMemory.allocated(array.byteLength)
    return array
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
const describe = (value: unknown, depth = 0): FieldDescription | undefined => {
  if (isJson(value)) return json
  if (isTypedArray(value)) return typed
  if (!isRecord(value) || depth === maxDepth) return undefined
  const described: Array<string | FieldDescription> = []
  for (const key in value) {
    const field = key === "__proto__" ? undefined : describe(value[key], depth + 1)
    if (field === undefined || described.length === 2 * maxFields) return undefined
    described.push(key, field)
  }
  return described
}

const maxDepth = 8

const shapeOf = ([tag, headers, description]: Description): Shape => {
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
