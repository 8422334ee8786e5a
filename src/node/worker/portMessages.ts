/**
 * Messages as they are posted to another thread: most without the names in them, of the others as JSON those that JSON
 * can write, and the rest as cloned objects, the bytes in their places.
 *
 * Bytes in shared memory are passed as they are. All other bytes are copied once, and the copy is given away: so neither
 * side can change what the other holds, and nobody's memory is detached.
 */
import * as Frames from "../../internal/frames.ts"
import * as Shapes from "../../internal/shapes.ts"
import * as ShortMessage from "../../internal/shortMessage.ts"
import * as PostedShapes from "./shapes.ts"
import * as SharedBuffers from "./sharedBuffers.ts"

/** What is posted at once: one message in any of its forms, or an array of all that is sent before what runs now ends. */
export type Batch = string | ReadonlyArray<unknown>

const settled = Promise.resolve()

/** Collects what is to be posted, and posts it when what runs now has ended. */
export const makeSender = (post: (batch: Batch, transfer: ReadonlyArray<ArrayBuffer> | undefined) => void) => {
  let batch: Array<unknown> = []
  let transfer: Array<ArrayBuffer> = []
  const flush = () => {
    const [sent, given] = [batch, transfer]
    batch = []
    transfer = []
    // An array around one message costs up to a tenth of the round trip.
    const [first] = sent
    const alone = sent.length === 1 && (typeof first === "string" || Array.isArray(first))
    post(alone ? first : sent, given.length === 0 ? undefined : given)
  }
  const add = (posted: unknown) => {
    // A tick of Node would be a call into JavaScript of its own, after this one.
    if (batch.length === 0) void settled.then(flush)
    batch.push(posted)
  }
  const buffers = SharedBuffers.makeSender((number) => add(letGo + number))
  const write = PostedShapes.makeWriter((array) => ownArray(array, transfer), buffers)
  return (message: unknown): void => {
    const short = ShortMessage.shorten(message)
    add((short && write(short)) ?? Frames.write(message, short) ?? own(short ?? message, transfer))
  }
}

/** Before the number of a buffer that the other end need not keep any more; no JSON begins like this. */
const letGo = "-:"

/** Takes all that is posted, in its order, and gives each message as it was given to the sender. */
export const makeReceiver = (onMessage: (message: unknown) => void) => {
  const buffers = SharedBuffers.makeReceiver()
  const read = PostedShapes.makeReader(buffers)
  const decode = (posted: unknown): unknown => {
    if (typeof posted === "string") return decodeText(posted)
    if (PostedShapes.hasArrays(posted)) return read(JSON.parse(posted[0]), posted)
    return Array.isArray(posted) ? ShortMessage.expand(posted) : posted
  }
  const decodeText = (text: string): unknown => {
    const head: unknown = JSON.parse(text)
    if (Shapes.hasShape(head)) return read(head, text)
    // What is written as JSON and not in its short form is in an object of its own.
    return Array.isArray(head) ? ShortMessage.expand(head) : (head as { readonly m: unknown }).m
  }
  const receive = (posted: unknown) => {
    if (typeof posted === "string" && posted.startsWith(letGo)) buffers.letGo(Number(posted.slice(letGo.length)))
    else onMessage(decode(posted))
  }
  return (batch: Batch): void => {
    // A short message begins with a number, and no message is one, nor a typed array.
    if (typeof batch === "string" || typeof batch[0] === "number" || PostedShapes.hasArrays(batch)) {
      return receive(batch)
    }
    for (const posted of batch) receive(posted)
  }
}

/** What JSON would make of a value, with its bytes as they can be given away. What needs no change is not copied. */
const own = (value: unknown, transfer: Array<ArrayBuffer>): unknown => {
  if (typeof value === "function" || typeof value === "symbol") return undefined
  if (typeof value !== "object" || value === null) return value
  if (Shapes.isTypedArray(value)) return ownArray(value, transfer)
  if (Array.isArray(value)) return ownItems(value, transfer)
  if (Shapes.isRecord(value)) return ownFields(value, transfer)
  return "toJSON" in value && typeof value.toJSON === "function"
    ? own(value.toJSON(), transfer)
    : ownFields({ ...value }, transfer)
}

const ownItems = (items: ReadonlyArray<unknown>, transfer: Array<ArrayBuffer>): ReadonlyArray<unknown> => {
  let copy: Array<unknown> | undefined
  for (let index = 0; index < items.length; index++) {
    const item = own(items[index], transfer) ?? null
    if (item !== items[index]) (copy ??= items.slice())[index] = item
  }
  return copy ?? items
}

const ownFields = (fields: Readonly<Record<string, unknown>>, transfer: Array<ArrayBuffer>): object => {
  let copy: Record<string, unknown> | undefined
  for (const key in fields) {
    const field = own(fields[key], transfer)
    if (field === undefined) delete (copy ??= { ...fields })[key]
    else if (field !== fields[key]) (copy ??= { ...fields })[key] = field
  }
  return copy ?? fields
}

/** Below this many bytes the copy that cloning makes costs less than giving one away. */
const worthGiving = 4096

const ownArray = (array: Shapes.TypedArray, transfer: Array<ArrayBuffer>): Shapes.TypedArray => {
  if (array.buffer instanceof SharedArrayBuffer) return array
  const { byteLength, byteOffset, length } = array
  // Cloning a view clones all of the buffer that it is a view of.
  if (byteLength < worthGiving) return byteLength === array.buffer.byteLength ? array : sliced(array)
  // Every byte of it is written, so it need not be zeroed; it has a buffer of its own.
  const copy = Buffer.allocUnsafeSlow(byteLength)
  copy.set(new Uint8Array(array.buffer, byteOffset, byteLength))
  transfer.push(copy.buffer)
  // Typed arrays have one kind of constructor, whose type is lost; what cloning makes of a Buffer is a Uint8Array, too.
  const constructor = array instanceof Uint8Array ? Uint8Array : array.constructor as typeof Float32Array
  return new constructor(copy.buffer, copy.byteOffset, length)
}

/** What `slice` of a Buffer gives is a view of the same memory. */
const sliced = (array: Shapes.TypedArray): Shapes.TypedArray =>
  array instanceof Uint8Array ? Uint8Array.prototype.slice.call(array) : array.slice()
