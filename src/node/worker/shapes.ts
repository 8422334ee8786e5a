/**
 * Requests and results without the names in them, as they are posted to another thread.
 *
 * A message with typed arrays is an array of its JSON and of them. Behind its values there are places, one for each typed
 * array or none at all, which say which of these are in buffers that the reader keeps.
 */
import * as ExternalMemory from "../../internal/externalMemory.ts"
import * as Shapes from "../../internal/shapes.ts"
import type { Short } from "../../internal/shortMessage.ts"
import type * as SharedBuffers from "./sharedBuffers.ts"

type TypedArray = Shapes.TypedArray

/** A message as it is posted. */
export type Posted = string | readonly [string, ...ReadonlyArray<TypedArray>]

/** Gives what writes a request or a result; nothing for one that has no shape. `give` makes an array what can be posted. */
export const makeWriter = (
  give: (array: TypedArray) => TypedArray,
  buffers: SharedBuffers.Sender
): (short: Short) => Posted | undefined =>
  Shapes.makeWriter<Posted>({
    takesArrays: true,
    maxShapes: Infinity,
    isKept: () => true,
    write: (values, arrays) => post(values, arrays, give, buffers)
  })

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
  Array.isArray(u) && u.length > 1 && Shapes.isTypedArray(u[1])

/** Gives what makes messages of all that the writer at the other end wrote, in its order, and of the JSON in each. */
export const makeReader = (buffers: SharedBuffers.Receiver) => {
  const shapes: Array<Shapes.Shape> = []
  const values = new PostedValues(buffers)
  const shapeAt = (kind: unknown, which: unknown): Shapes.Shape => {
    // The writer of this module wrote both.
    if (kind === 4) return shapes[which as number]!
    const shape = Shapes.shapeOf(which as Shapes.Description)
    shapes.push(shape)
    return shape
  }
  return (head: ReadonlyArray<unknown>, posted: Posted): object | undefined => {
    const shape = shapeAt(head[0], head[1])
    values.begin(head, shape.count, posted)
    const message = Shapes.read(values, head[2], shape)
    values.end()
    return message
  }
}

/** The values of a message, some of which were posted beside its JSON. */
class PostedValues extends Shapes.Values {
  readonly #buffers: SharedBuffers.Receiver
  #posted: Posted = ""
  #placeAt = 0
  #arrayAt = 0

  constructor(buffers: SharedBuffers.Receiver) {
    super()
    this.#buffers = buffers
  }

  begin(head: ReadonlyArray<unknown>, count: number, posted: Posted): void {
    this.start(head)
    this.#posted = posted
    this.#placeAt = Shapes.valuesAt + count
    this.#arrayAt = 1
  }

  override end(): void {
    this.begin([], 0, "")
  }

  protected override nextArray(): TypedArray {
    if (this.#placeAt >= this.head.length) return this.#nextPosted()
    // The writer of this module wrote them.
    const place = this.head[this.#placeAt++] as SharedBuffers.Place
    return this.#buffers.arrayAt(place, () => this.#nextPosted())
  }

  #nextPosted(): TypedArray {
    // A shape with typed arrays was posted with them.
    const array = this.#posted[this.#arrayAt++] as TypedArray
    if (array.buffer instanceof ArrayBuffer) ExternalMemory.allocated(array.byteLength)
    return array
  }
}
