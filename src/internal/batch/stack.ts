/** Several tensors as one, and back. */
import { Effect, Schema } from "effect"
import * as Tensor from "../../Tensor.ts"
import * as ExternalMemory from "../externalMemory.ts"
import * as Blocks from "./blocks.ts"

/**
 * Tensors that do not go together: `index` is the first that does not fit those before it, and `issue` says why.
 *
 * @category errors
 * @since 0.2.0
 */
export class NotStackable extends Schema.TaggedError<NotStackable>()("NotStackable", {
  index: Schema.Int,
  issue: Schema.String
}, { httpApiStatus: 422 }) {
  override get message(): string {
    return `tensor ${this.index} cannot be stacked: ${this.issue}`
  }
}

/**
 * One tensor that holds several: `sizes` has the size of each along the axis, as `unstack` takes them, and `shapes` the
 * whole shape of each.
 *
 * @category models
 * @since 0.2.0
 */
export interface Stacked<D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>> {
  readonly tensor: Tensor.Shaped<D, Sizes>
  readonly sizes: ReadonlyArray<number>
  readonly shapes: ReadonlyArray<Sizes>
}

/**
 * A stack with padding: `mask` has the shape of `tensor`, 1 where an element was given and 0 where it is padding.
 *
 * @category models
 * @since 0.2.0
 */
export interface StackedWithMask<
  D extends Tensor.Dtype,
  Sizes extends ReadonlyArray<number>,
  Mask extends Tensor.Dtype
> extends Stacked<D, Sizes> {
  readonly mask: Tensor.Shaped<Mask, Sizes>
}

/**
 * Joins tensors along an axis that they have, the first by default; the inverse is `unstack`.
 *
 * The dtypes and all other sizes must agree, else the error is `NotStackable`. With `pad`, the other sizes may differ:
 * each tensor is filled up at the end to the largest with that value, and there is a mask, of dtype `bool` unless
 * `mask` says another. The value to pad a `float16` is its 16-bit pattern. Memory is allocated once, and copied to.
 *
 * **Example** (Token sequences of different lengths)
 *
 * ```ts
 * import { Batch, Tensor } from "chorale"
 * import { Effect } from "effect"
 *
 * export const program = Effect.gen(function*() {
 *   const short = Tensor.make("int64", [1, 2], BigInt64Array.of(101n, 102n))
 *   const long = Tensor.make("int64", [1, 3], BigInt64Array.of(101n, 7n, 102n))
 *   const { mask, tensor } = yield* Batch.stack([short, long], { pad: 0n, mask: "int64" })
 *   return { input_ids: tensor, attention_mask: mask } // both int64[2, 3]
 * })
 * ```
 *
 * @category tensors
 * @since 0.2.0
 */
export const stack: {
  <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>, Mask extends Tensor.Dtype = "bool">(
    tensors: ReadonlyArray<Tensor.Shaped<D, Sizes>>,
    options: { readonly axis?: number; readonly pad: Tensor.Arrays[D][number]; readonly mask?: Mask }
  ): Effect.Effect<StackedWithMask<D, Sizes, Mask>, NotStackable>
  <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>>(
    tensors: ReadonlyArray<Tensor.Shaped<D, Sizes>>,
    options?: { readonly axis?: number }
  ): Effect.Effect<Stacked<D, Sizes>, NotStackable>
} = <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>, Mask extends Tensor.Dtype>(
  tensors: ReadonlyArray<Tensor.Shaped<D, Sizes>>,
  options: StackOptions<Mask> = {}
): Effect.Effect<StackedWithMask<D, Sizes, Mask>, NotStackable> =>
  Effect.suspend(() => {
    const { axis = 0, mask: dtype, pad } = options
    const stacked = join(tensors, axis, pad)
    if (stacked instanceof NotStackable || pad === undefined) return wrap(stacked)
    // The overloads say which dtype the mask has where none is asked for.
    return Effect.succeed({ ...stacked, mask: maskOf(stacked, axis, dtype ?? ("bool" as Mask)) })
  })

interface StackOptions<Mask> {
  readonly axis?: number
  readonly pad?: number | bigint
  readonly mask?: Mask
}

// A stack without padding has no mask, which is what the second overload of `stack` says.
const wrap = <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>, Mask extends Tensor.Dtype>(
  stacked: NotStackable | Stacked<D, Sizes>
) =>
  stacked instanceof NotStackable
    ? Effect.fail(stacked)
    : Effect.succeed(stacked as StackedWithMask<D, Sizes, Mask>)

/**
 * Cuts a tensor along an axis, the first by default, into parts of these sizes, each with memory of its own.
 *
 * With `trim`, each part is also cut at the end of another axis, to its number in `lengths`: so the padding goes.
 * Throws a `RangeError` when the sizes do not add up to that of the axis.
 *
 * @category tensors
 * @since 0.2.0
 */
export const unstack = <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>>(
  tensor: Tensor.Shaped<D, Sizes>,
  sizes: ReadonlyArray<number>,
  options: {
    readonly axis?: number
    readonly trim?: { readonly axis: number; readonly lengths: ReadonlyArray<number> }
  } = {}
): ReadonlyArray<Tensor.Shaped<D, Sizes>> => {
  const { axis = 0, trim } = options
  if (add(sizes) !== tensor.shape[axis]) {
    throw new RangeError(
      `parts of ${sizes.join(" + ")} along axis ${axis} do not make up ${Tensor.describe(tensor.dtype, tensor.shape)}`
    )
  }
  if (axis === 0 && trim === undefined) return slices(tensor, sizes)
  let start = 0
  return sizes.map((size, index) => {
    const shape = tensor.shape.with(axis, size)
    const length = trim?.lengths[index]
    const part = allocate<D, Sizes>(
      tensor.dtype,
      trim === undefined || length === undefined ? shape : shape.with(trim.axis, length)
    )
    Blocks.read(tensor, part, axis, start)
    start += size
    return part
  })
}

/** The parts along the first axis, which lie one after another. */
const slices = <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>>(
  tensor: Tensor.Shaped<D, Sizes>,
  sizes: ReadonlyArray<number>
): ReadonlyArray<Tensor.Shaped<D, Sizes>> => {
  const row = Tensor.size(tensor.shape.slice(1))
  ExternalMemory.allocated(tensor.data.byteLength)
  let start = 0
  return sizes.map((size) => {
    // A slice has the type of what it is cut from, which a union of typed arrays loses.
    const data = tensor.data.slice(start, start + size * row) as Tensor.Arrays[D]
    start += size * row
    return { dtype: tensor.dtype, shape: withRows(tensor.shape, size), data }
  })
}

/** What `stack` does, without a mask. */
export const join = <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>>(
  tensors: ReadonlyArray<Tensor.Shaped<D, Sizes>>,
  axis: number,
  pad: number | bigint | undefined
): Stacked<D, Sizes> | NotStackable => {
  const [first] = tensors
  if (first === undefined) return new NotStackable({ index: 0, issue: "there are no tensors" })
  const index = tensors.findIndex((tensor) => !goTogether(first, tensor, axis, pad !== undefined))
  const misfit = tensors[index]
  if (misfit !== undefined) {
    return new NotStackable({
      index,
      issue: `${Tensor.describe(misfit.dtype, misfit.shape)} does not go with ${
        Tensor.describe(first.dtype, first.shape)
      } along axis ${axis}`
    })
  }
  const sizes = tensors.map(({ shape }) => shape[axis] ?? 0)
  const shapes = tensors.map(({ shape }) => shape)
  const largest = pad === undefined
    ? first.shape
    : first.shape.map((_, dimension) => Math.max(...shapes.map((shape) => shape[dimension] ?? 0)))
  const tensor = allocate<D, Sizes>(first.dtype, largest.with(axis, add(sizes)))
  if (axis === 0 && pad === undefined) {
    line(tensor, tensors)
    return { tensor, sizes, shapes }
  }
  // Memory comes filled with zeros.
  if (pad !== undefined && Number(pad) !== 0) Blocks.fill(tensor, pad)
  let start = 0
  for (const [index, part] of tensors.entries()) {
    Blocks.write(tensor, part, axis, start)
    start += sizes[index] ?? 0
  }
  return { tensor, sizes, shapes }
}

/** Puts the parts one after another. */
const line = (whole: Tensor.Tensor, parts: ReadonlyArray<Tensor.Tensor>): void => {
  const to = Tensor.toBytes(whole)
  let start = 0
  for (const part of parts) {
    to.set(Tensor.toBytes(part), start)
    start += part.data.byteLength
  }
}

const add = (sizes: ReadonlyArray<number>): number => sizes.reduce((total, size) => total + size, 0)

const goTogether = (first: Tensor.Tensor, other: Tensor.Tensor, axis: number, padded: boolean): boolean =>
  other.dtype === first.dtype && other.shape.length === first.shape.length && axis in other.shape &&
  (padded || other.shape.every((size, dimension) => dimension === axis || size === first.shape[dimension]))

const maskOf = <Sizes extends ReadonlyArray<number>, Mask extends Tensor.Dtype>(
  { shapes, sizes, tensor }: Stacked<Tensor.Dtype, Sizes>,
  axis: number,
  dtype: Mask
): Tensor.Shaped<Mask, Sizes> => {
  const mask = allocate<Mask, Sizes>(dtype, tensor.shape)
  let start = 0
  for (const [index, shape] of shapes.entries()) {
    Blocks.fillPart(mask, shape, axis, start, oneOf(dtype))
    start += sizes[index] ?? 0
  }
  return mask
}

/** The pattern of 1 in a float16, which is held as its bits. */
const float16One = 0x3c00

const oneOf = (dtype: Tensor.Dtype): number | bigint =>
  dtype === "int64" || dtype === "uint64" ? 1n : dtype === "float16" ? float16One : 1

// With another number of rows it has the same rank, which the compiler does not follow through an array of sizes.
const withRows = <Sizes extends ReadonlyArray<number>>(shape: Sizes, rows: number): Sizes =>
  shape.with(0, rows) as ReadonlyArray<number> as Sizes

// The rank is that of the tensors it is made for, which the compiler does not follow through an array of sizes.
const allocate = <D extends Tensor.Dtype, Sizes extends ReadonlyArray<number>>(
  dtype: D,
  shape: ReadonlyArray<number>
): Tensor.Shaped<D, Sizes> => {
  const tensor = Tensor.zeros(dtype, shape)
  ExternalMemory.allocated(tensor.data.byteLength)
  return tensor as unknown as Tensor.Shaped<D, Sizes>
}
