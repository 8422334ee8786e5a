/**
 * Typed multi-dimensional arrays that travel as raw bytes.
 *
 * A tensor is a plain value: a dtype, a shape, and the typed array that holds
 * its elements in row-major order. Its schema fixes the dtype and the rank in
 * the type and checks the dimensions where data enters, in time that does not
 * depend on the number of elements. In the same process a tensor is passed as
 * it is; over a wire it is its bytes, never an array of numbers.
 *
 * @since 0.1.0
 */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"

/**
 * The element types, each with the typed array that holds it.
 *
 * `float16` is held as its raw 16-bit patterns, and `bool` as one byte an element, 0 or 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Arrays {
  readonly float32: Float32Array
  readonly float64: Float64Array
  readonly float16: Uint16Array
  readonly int8: Int8Array
  readonly uint8: Uint8Array
  readonly int16: Int16Array
  readonly uint16: Uint16Array
  readonly int32: Int32Array
  readonly uint32: Uint32Array
  readonly int64: BigInt64Array
  readonly uint64: BigUint64Array
  readonly bool: Uint8Array
}

/**
 * The name of an element type.
 *
 * @category models
 * @since 0.1.0
 */
export type Dtype = keyof Arrays

/**
 * The sizes of the dimensions of a tensor of that rank, outermost first.
 *
 * @category models
 * @since 0.1.0
 */
export type Shape<Rank extends number> = number extends Rank ? ReadonlyArray<number> : SizedShape<Rank>

type SizedShape<Rank extends number, Sizes extends ReadonlyArray<number> = readonly []> = Sizes["length"] extends Rank
  ? Sizes
  : SizedShape<Rank, readonly [...Sizes, number]>

/**
 * A dtype, a shape, and the elements in row-major order.
 *
 * The library never writes to `data` and never detaches it, so a tensor may be used in several calls at once.
 *
 * @category models
 * @since 0.1.0
 */
export type Tensor<D extends Dtype = Dtype, Rank extends number = number> = Shaped<D, Shape<Rank>>

/**
 * A tensor by the tuple of its sizes instead of its rank.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shaped<D extends Dtype, Sizes extends ReadonlyArray<number>> {
  readonly dtype: D
  readonly shape: Sizes
  readonly data: Arrays[D]
}

type ArrayConstructors = {
  readonly [D in Dtype]: {
    readonly BYTES_PER_ELEMENT: number
    new(length: number): Arrays[D]
    new(buffer: ArrayBufferLike, byteOffset: number, length: number): Arrays[D]
  }
}

const constructors: ArrayConstructors = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array
}

/**
 * The names of the element types.
 *
 * @category models
 * @since 0.1.0
 */
export const dtypes: ReadonlyArray<Dtype> = [
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool"
]

/**
 * The size of one element in bytes.
 *
 * @category getters
 * @since 0.1.0
 */
export const bytesPerElement = (dtype: Dtype): number => constructors[dtype].BYTES_PER_ELEMENT

/**
 * The number of elements of a tensor of that shape; 1 for a scalar, whose shape is empty.
 *
 * @category getters
 * @since 0.1.0
 */
export const size = (shape: ReadonlyArray<number>): number => {
  let elements = 1
  for (const dimension of shape) elements *= dimension
  return elements
}

/**
 * Makes a tensor from its elements, without copying them.
 *
 * Throws a `RangeError` when the number of elements does not follow from the shape.
 *
 * **Example** (Two points)
 *
 * ```ts
 * import { Tensor } from "chorale"
 *
 * export const points = Tensor.make("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <D extends Dtype, const S extends ReadonlyArray<number>>(
  dtype: D,
  shape: S,
  data: Arrays[D]
): Tensor<D, S["length"]> => {
  if (!shape.every(isDimension) || size(shape) !== data.length) {
    throw new RangeError(`a tensor ${describe(dtype, shape)} has ${size(shape)} elements, not ${data.length}`)
  }
  return unchecked(dtype, shape, data)
}

/**
 * Makes a tensor of zeros.
 *
 * @category constructors
 * @since 0.1.0
 */
export const zeros = <D extends Dtype, const S extends ReadonlyArray<number>>(
  dtype: D,
  shape: S
): Tensor<D, S["length"]> => unchecked(dtype, shape, new constructors[dtype](size(shape)))

/**
 * Reads a tensor from the bytes of its elements, in the byte order of the machine (little-endian wherever Node runs).
 *
 * The tensor is a view of `bytes` where their alignment allows one, and a copy otherwise. Returns `undefined` when the
 * number of bytes does not follow from dtype and shape.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromBytes = <D extends Dtype, const S extends ReadonlyArray<number>>(
  dtype: D,
  shape: S,
  bytes: Uint8Array
): Tensor<D, S["length"]> | undefined => {
  const Constructor = constructors[dtype]
  const length = size(shape)
  if (!shape.every(isDimension) || length * Constructor.BYTES_PER_ELEMENT !== bytes.byteLength) return undefined
  const aligned = bytes.byteOffset % Constructor.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes)
  return unchecked(dtype, shape, new Constructor(aligned.buffer, aligned.byteOffset, length))
}

/**
 * The bytes of the elements: a view, not a copy.
 *
 * @category converting
 * @since 0.1.0
 */
export const toBytes = (tensor: Tensor): Uint8Array =>
  new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)

/**
 * Gives the memory of a tensor back at once, where it would otherwise wait for the garbage collector.
 *
 * For large tensors that nobody else holds, such as the inputs and outputs of a model once they are used: without it a
 * busy process stops for milliseconds at a time to collect them. The tensor has no elements afterwards. Nothing happens
 * to a tensor that is a part of a larger buffer or in shared memory, nor on Node 20.
 *
 * @category converting
 * @since 0.1.0
 */
export const free = ({ data }: Tensor): void => {
  if (data.buffer instanceof ArrayBuffer && data.buffer.byteLength === data.byteLength && "transfer" in data.buffer) {
    data.buffer.transfer(0)
  }
}

/**
 * Whether a value is a tensor whose elements agree with its dtype and shape.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTensor = (u: unknown): u is Tensor => {
  if (typeof u !== "object" || u === null || !("dtype" in u && "shape" in u && "data" in u)) return false
  const { data, dtype, shape } = u
  return isDtype(dtype) && data instanceof constructors[dtype] && Array.isArray(shape) && shape.every(isDimension) &&
    size(shape) === data.length
}

/**
 * What a schema says of one dimension: its exact size, or a name. The same name twice in a schema means the same size.
 *
 * @category models
 * @since 0.1.0
 */
export type Dimension = number | string

/**
 * The schema of tensors of one dtype and rank.
 *
 * @category schemas
 * @since 0.1.0
 */
export interface TensorSchema<D extends Dtype, Dimensions extends ReadonlyArray<Dimension>>
  extends Schema.declareConstructor<Tensor<D, Dimensions["length"]>, Tensor<D, Dimensions["length"]>, readonly []>
{
  readonly dtype: D
  readonly dimensions: Dimensions
}

/**
 * Makes the schema of tensors of one dtype and rank.
 *
 * In JSON a tensor is `{ dtype, shape, data }` with its bytes in base64; over the library's own transports the bytes
 * travel as they are. A value with another dtype, rank or size is refused, and the message says what was expected and
 * what came, never the elements.
 *
 * **Example** (A batch of square colour images)
 *
 * ```ts
 * import { Tensor } from "chorale"
 *
 * export const Images = Tensor.schema("float32", ["batch", 3, "side", "side"])
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const schema = <D extends Dtype, const Dimensions extends ReadonlyArray<Dimension>>(
  dtype: D,
  dimensions: Dimensions
): TensorSchema<D, Dimensions> => {
  type Self = Tensor<D, Dimensions["length"]>
  const expected = describe(dtype, dimensions)
  const isSelf = (tensor: Tensor): tensor is Self => tensor.dtype === dtype && fits(tensor.shape, dimensions)
  const refuse = (actual: string) =>
    Effect.fail(new SchemaIssue.InvalidValue({ message: `Expected ${expected}, got ${actual}` }))
  const Wire = Schema.Struct({ dtype: Schema.String, shape: Schema.Array(Schema.Int), data: Schema.Uint8Array })
  const declared = Schema.declareConstructor<Self>()([], () => (u) => {
    if (!isTensor(u)) return refuse("a value that is not a tensor")
    return isSelf(u) ? Effect.succeed(u) : refuse(describe(u.dtype, u.shape))
  }, {
    expected,
    representation: { id: "chorale/Tensor", payload: { dtype, dimensions } },
    toCodecJson: () =>
      Schema.link<Tensor>()(Wire, {
        decode: SchemaGetter.transformEffect((wire) => {
          const tensor = isDtype(wire.dtype) ? fromBytes(wire.dtype, wire.shape, wire.data) : undefined
          return tensor === undefined
            ? refuse(`${wire.data.byteLength} bytes as ${describe(wire.dtype, wire.shape)}`)
            : Effect.succeed(tensor)
        }),
        encode: SchemaGetter.transform((tensor: Tensor) => ({
          dtype: tensor.dtype,
          shape: tensor.shape,
          data: toBytes(tensor)
        }))
      })
  })
  return Object.assign(declared, { dtype, dimensions })
}

/**
 * A tensor in a sentence, such as `float32[1, 3, 640, 480]`.
 *
 * @category converting
 * @since 0.1.0
 */
export const describe = (dtype: string, dimensions: ReadonlyArray<Dimension>): string =>
  `${dtype}[${dimensions.join(", ")}]`

/**
 * Whether a shape has the sizes that the dimensions ask for, with the same size wherever the same name stands.
 *
 * @category guards
 * @since 0.1.0
 */
export const fits = (shape: ReadonlyArray<number>, dimensions: ReadonlyArray<Dimension>): boolean => {
  if (shape.length !== dimensions.length) return false
  return dimensions.every((dimension, axis) =>
    shape[axis] === (typeof dimension === "number" ? dimension : shape[dimensions.indexOf(dimension)])
  )
}

const isDimension = (u: unknown): u is number => Number.isSafeInteger(u) && Number(u) >= 0

const isDtype = (u: unknown): u is Dtype => typeof u === "string" && Object.hasOwn(constructors, u)

// The rank of `shape` is its length, which the compiler does not follow into `Shape<Rank>` for a generic `S`.
const unchecked = <D extends Dtype, S extends ReadonlyArray<number>>(
  dtype: D,
  shape: S,
  data: Arrays[D]
): Tensor<D, S["length"]> => ({ dtype, shape: shape as ReadonlyArray<number> as Shape<S["length"]>, data })
