/** The parts of a tensor that lie one after another in its memory. */
import * as Tensor from "../../Tensor.ts"

/**
 * Copies between the bytes of a whole and those of a part of it, which lies `start` along `axis` and at the beginning of
 * every other axis.
 */
export interface Place {
  readonly whole: ReadonlyArray<number>
  readonly part: ReadonlyArray<number>
  readonly axis: number
  readonly start: number
}

type Visit = (inWhole: number, inPart: number, length: number) => void

/** Calls `visit` with the offsets and the length, all in elements, of each stretch that is contiguous in both. */
const eachBlock = ({ axis, part, start, whole }: Place, visit: Visit): void => {
  // Below this axis the part is as wide as the whole, so that what belongs to it is one stretch.
  const last = part.findLastIndex((size, index) => size !== whole[index])
  const inner = Math.max(last, 0)
  const wholeStrides = strides(whole)
  const partStrides = strides(part)
  const length = (part[inner] ?? 1) * (partStrides[inner] ?? 1)
  if (Tensor.size(part) === 0) return
  const descend = (depth: number, inWhole: number, inPart: number): void => {
    if (depth === inner) return visit(inWhole, inPart, length)
    const wholeStride = wholeStrides[depth] ?? 1
    const partStride = partStrides[depth] ?? 1
    const size = part[depth] ?? 1
    for (let index = 0; index < size; index++) {
      descend(depth + 1, inWhole + index * wholeStride, inPart + index * partStride)
    }
  }
  descend(0, start * (wholeStrides[axis] ?? 1), 0)
}

const strides = (shape: ReadonlyArray<number>): ReadonlyArray<number> => {
  const found: Array<number> = []
  let stride = 1
  for (const size of shape.toReversed()) {
    found.push(stride)
    stride *= size
  }
  return found.reverse()
}

/** Writes the elements of a part to its place in the whole. */
export const write = (whole: Tensor.Tensor, part: Tensor.Tensor, axis: number, start: number): void => {
  const width = Tensor.bytesPerElement(whole.dtype)
  const to = Tensor.toBytes(whole)
  const from = Tensor.toBytes(part)
  eachBlock(
    { whole: whole.shape, part: part.shape, axis, start },
    (inWhole, inPart, length) => to.set(from.subarray(inPart * width, (inPart + length) * width), inWhole * width)
  )
}

/** Reads the elements of a part from its place in the whole. */
export const read = (whole: Tensor.Tensor, part: Tensor.Tensor, axis: number, start: number): void => {
  const width = Tensor.bytesPerElement(whole.dtype)
  const to = Tensor.toBytes(part)
  const from = Tensor.toBytes(whole)
  eachBlock(
    { whole: whole.shape, part: part.shape, axis, start },
    (inWhole, inPart, length) => to.set(from.subarray(inWhole * width, (inWhole + length) * width), inPart * width)
  )
}

/** Sets the elements of a whole, from `begin` up to `end` where they are given. */
export const fill = (
  tensor: Tensor.Tensor,
  value: number | bigint,
  begin?: number,
  end?: number
): void => {
  // Whether the elements are numbers or bigints follows from the dtype; what is public ties the value to it.
  const data = tensor.data as { readonly fill: (value: number | bigint, begin?: number, end?: number) => unknown }
  data.fill(value, begin, end)
}

/** Sets the elements of the whole that belong to a part of that shape. */
export const fillPart = (
  whole: Tensor.Tensor,
  part: ReadonlyArray<number>,
  axis: number,
  start: number,
  value: number | bigint
): void =>
  eachBlock(
    { whole: whole.shape, part, axis, start },
    (inWhole, _inPart, length) => fill(whole, value, inWhole, inWhole + length)
  )
