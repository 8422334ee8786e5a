/**
 * The shared memory in which one replica finds the inputs of its call.
 *
 * A fresh buffer costs several times the copy into it, so the memory is kept and grows to the largest call. One call at
 * a time runs on a replica: nothing else reads the memory while the next call is written.
 */
import * as Tensor from "../Tensor.ts"
import type { Tensors } from "./feeds.ts"
import type { Named } from "./messages.ts"

export interface Arena {
  /** The feeds as views of shared memory; tensors that are in shared memory already are passed as they are. */
  readonly write: (feeds: Tensors) => ReadonlyArray<Named>
}

const granularity = 64 * 1024

export const make = (): Arena => {
  let memory = new SharedArrayBuffer(0)
  const reserve = (bytes: number) => {
    if (bytes > memory.byteLength) memory = new SharedArrayBuffer(Math.ceil(bytes / granularity) * granularity)
  }
  return {
    write(feeds) {
      let needed = 0
      for (const name in feeds) if (!isShared(feeds[name]!)) needed += aligned(feeds[name]!.data.byteLength)
      reserve(needed)
      const named: Array<Named> = []
      let offset = 0
      for (const name in feeds) {
        const tensor = feeds[name]!
        const { dtype, shape } = tensor
        if (isShared(tensor)) {
          named.push([name, dtype, shape, tensor.data])
          continue
        }
        const bytes = new Uint8Array(memory, offset, tensor.data.byteLength)
        bytes.set(Tensor.toBytes(tensor))
        named.push([name, dtype, shape, Tensor.fromBytes(dtype, shape, bytes)!.data])
        offset += aligned(bytes.byteLength)
      }
      return named
    }
  }
}

const isShared = (tensor: Tensor.Tensor): boolean => tensor.data.buffer instanceof SharedArrayBuffer

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8
