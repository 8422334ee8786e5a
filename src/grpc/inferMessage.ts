/** The messages of an inference, whose tensors may be large: each element is read into its place at once. */
import * as Wire from "./wire.ts"

/** The elements of a tensor in the fields of their types; those of strings are only counted as there. */
export interface Contents {
  readonly bool: Uint8Array | undefined
  readonly int32: Int32Array | undefined
  readonly int64: BigInt64Array | undefined
  readonly uint32: Uint32Array | undefined
  readonly uint64: BigUint64Array | undefined
  readonly float32: Float32Array | undefined
  readonly float64: Float64Array | undefined
}

/** A tensor as it arrives; a size that is no safe integer is the nearest number. */
export interface TensorMessage {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<number>
  readonly contents: Contents | undefined
}

/** A request or a response. */
export interface InferMessage {
  readonly model_name: string
  readonly model_version: string
  readonly id: string
  /** The inputs of a request, the outputs of a response. */
  readonly tensors: ReadonlyArray<TensorMessage>
  /** The names of the outputs that a request asks for. */
  readonly asked: ReadonlyArray<string>
  readonly raw: ReadonlyArray<Uint8Array>
}

/** As many as no model has. What is more would take much memory for few bytes. */
const mostTensors = 1024

const mostDimensions = 64

/** The request that bytes are. Throws WireError. */
export const readRequest = (bytes: Uint8Array): InferMessage => read(bytes, { tensors: 5, asked: 6, raw: 7 })

/** The response that bytes are. Throws WireError. */
export const readResponse = (bytes: Uint8Array): InferMessage => read(bytes, { tensors: 5, asked: undefined, raw: 6 })

const read = (
  bytes: Uint8Array,
  fields: { readonly tensors: number; readonly asked: number | undefined; readonly raw: number }
): InferMessage => {
  const cursor = new Wire.Cursor(bytes)
  const tensors: Array<TensorMessage> = []
  const asked: Array<string> = []
  const raw: Array<Uint8Array> = []
  let [model_name, model_version, id] = ["", "", ""]
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        model_name = cursor.text()
        break
      case 2:
        model_version = cursor.text()
        break
      case 3:
        id = cursor.text()
        break
      case fields.tensors:
        push(tensors, readTensor(cursor.block()), mostTensors)
        break
      case fields.asked:
        push(asked, readName(cursor.block()), mostTensors)
        break
      case fields.raw:
        push(raw, cursor.block(), mostTensors)
        break
      default:
        cursor.skip()
    }
  }
  return { model_name, model_version, id, tensors, asked, raw }
}

const push = <A>(values: Array<A>, value: A, most: number): void => {
  if (values.length === most) throw new Wire.WireError(`there are more than ${most} of one field`)
  values.push(value)
}

const readName = (bytes: Uint8Array): string => {
  const cursor = new Wire.Cursor(bytes)
  let name = ""
  while (cursor.next()) {
    if (cursor.field === 1) name = cursor.text()
    else cursor.skip()
  }
  return name
}

const readTensor = (bytes: Uint8Array): TensorMessage => {
  const cursor = new Wire.Cursor(bytes)
  const shape: Array<number> = []
  let [name, datatype] = ["", ""]
  let contents: Accumulated | undefined
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        name = cursor.text()
        break
      case 2:
        datatype = cursor.text()
        break
      case 3:
        forEach(cursor, Wire.wireTypes.varint, (cursor) => push(shape, Number(cursor.int64()), mostDimensions))
        break
      case 5:
        contents = readContents(cursor.block(), contents ?? {})
        break
      default:
        cursor.skip()
    }
  }
  return { name, datatype, shape, contents: contents && whole(contents) }
}

/** Reads each element of a repeated field, which is packed or one of many. */
const forEach = (cursor: Wire.Cursor, type: number, element: (cursor: Wire.Cursor) => void): void => {
  if (cursor.type === type) return element(cursor)
  const packed = new Wire.Cursor(cursor.block())
  while (packed.more) element(packed)
}

const readContents = (bytes: Uint8Array, contents: Accumulated): Accumulated => {
  const cursor = new Wire.Cursor(bytes)
  const { fixed32, fixed64, varint } = Wire.wireTypes
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        readInto(contents.bool ??= new Elements(Uint8Array), cursor, varint, (packed) => packed.int64() === 0n ? 0 : 1)
        break
      case 2:
        readInto(contents.int32 ??= new Elements(Int32Array), cursor, varint, (packed) => packed.int32())
        break
      case 3:
        readInto(contents.int64 ??= new Elements(BigInt64Array), cursor, varint, (packed) => packed.int64())
        break
      case 4:
        readInto(contents.uint32 ??= new Elements(Uint32Array), cursor, varint, (packed) => packed.int32())
        break
      case 5:
        readInto(contents.uint64 ??= new Elements(BigUint64Array), cursor, varint, (packed) => packed.int64())
        break
      case 6:
        readInto(contents.float32 ??= new Elements(Float32Array), cursor, fixed32, (packed) => packed.float32())
        break
      case 7:
        readInto(contents.float64 ??= new Elements(Float64Array), cursor, fixed64, (packed) => packed.float64())
        break
      default:
        cursor.skip()
    }
  }
  return contents
}

type TypedArray = NonNullable<Contents[keyof Contents]>

type Accumulated = { -readonly [Kind in keyof Contents]?: Elements<NonNullable<Contents[Kind]>> }

/** Elements that arrive in one piece or in many. */
class Elements<A extends TypedArray> {
  #data: A
  #length = 0
  readonly #Data: new(length: number) => A

  constructor(Data: new(length: number) => A) {
    this.#Data = Data
    this.#data = new Data(0)
  }

  /** Makes room for so many more. */
  reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#data.length) return
    const larger = new this.#Data(this.#length === 0 ? needed : Math.max(needed, 2 * this.#length))
    // Both are of one type.
    larger.set(this.#data.subarray(0, this.#length) as never)
    this.#data = larger
  }

  add(element: A[number]): void {
    this.#data[this.#length++] = element
  }

  get whole(): A {
    // A part of an array is of its type.
    return this.#data.length === this.#length ? this.#data : this.#data.slice(0, this.#length) as A
  }
}

const readInto = <A extends TypedArray>(
  elements: Elements<A>,
  cursor: Wire.Cursor,
  type: number,
  element: (cursor: Wire.Cursor) => A[number]
): void => {
  if (cursor.type === type) {
    elements.reserve(1)
    return elements.add(element(cursor))
  }
  const bytes = cursor.block()
  const size = type === Wire.wireTypes.fixed32 ? 4 : 8
  elements.reserve(type === Wire.wireTypes.varint ? Wire.countVarints(bytes) : Math.floor(bytes.byteLength / size))
  const packed = new Wire.Cursor(bytes)
  while (packed.more) elements.add(element(packed))
}

const whole = (contents: Accumulated): Contents => ({
  bool: contents.bool?.whole,
  int32: contents.int32?.whole,
  int64: contents.int64?.whole,
  uint32: contents.uint32?.whole,
  uint64: contents.uint64?.whole,
  float32: contents.float32?.whole,
  float64: contents.float64?.whole
})
