/**
 * Memory of messages outside of the heap of V8, such as that of tensors.
 *
 * V8 counts it towards the next collection of everything, and where the heap is small makes one for each 20 MB that
 * arrive, which takes some 50 ms. Nearly all of it is garbage soon after it has come: to collect the young objects alone
 * frees it in half a millisecond. V8 by itself does that when other young objects have filled their space, which calls
 * with large tensors hardly do. A call with 600 kB over a socket takes a fifth of the processor time so.
 */

/**
 * Says that so many bytes have been set aside for what has arrived; now and then, collects the young objects.
 *
 * From the first time on, up to 32 MB that messages have left are kept for others.
 */
export const allocated = (bytes: number): void => {
  sinceCollection += bytes
  if (sinceCollection < enough) return
  sinceCollection = 0
  if (collect === undefined) {
    keepFreed()
    collect = makeCollect()
  }
  collect()
}

/** Less than what makes V8 collect everything in a program of 30 MB, and otherwise as seldom as possible. */
const enough = 16 * 1024 * 1024

/**
 * Has the C library keep the memory that is freed for what arrives next.
 *
 * That of GNU gives back what is free at the end of its heap beyond twice the largest block that it has freed, and the
 * system clears what it then gives again: a third of the time of a call with 600 kB. To free one large block is how to
 * say so, see `M_MMAP_THRESHOLD` in mallopt(3). Nobody writes to this one, so it takes no memory.
 */
const keepFreed = (): void => void new ArrayBuffer(enough - 64 * 1024)

let sinceCollection = 0
let collect: (() => void) | undefined

const nothing = () => undefined

/** Nothing is collected in a browser, in a Node before 20.16, nor by an engine that has no such flag. */
const makeCollect = (): () => void => {
  const young = { type: "minor" } as const
  if (globalThis.gc !== undefined) return () => void globalThis.gc?.(young)
  const builtin = globalThis.process?.getBuiltinModule
  if (builtin === undefined) return nothing
  try {
    const { setFlagsFromString } = builtin("node:v8")
    // The function is there in a context that is made while the flag is set, and in no other.
    setFlagsFromString("--expose-gc")
    const gc: unknown = builtin("node:vm").runInNewContext("gc")
    setFlagsFromString("--no-expose-gc")
    return typeof gc === "function" ? () => void gc(young) : nothing
  } catch {
    return nothing
  }
}
