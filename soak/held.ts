/** What a process, or a thread of it, holds on to: memory that is reached, handles, and open files. */
import { Effect, Schema } from "effect"
import * as Fs from "node:fs"

/** `heapUsed` and `external` in bytes after a garbage collection; the others are counts. */
export const Held = Schema.Struct({
  heapUsed: Schema.Int,
  external: Schema.Int,
  resources: Schema.Int,
  files: Schema.Int
})
export type Held = typeof Held.Type

/** Needs `--expose-gc`. */
export const measure: Effect.Effect<Held> = Effect.gen(function*() {
  // What is freed by callbacks after one collection is collected by the next.
  for (let round = 0; round < 3; round++) {
    collectGarbage()
    yield* turn
  }
  const { external, heapUsed } = process.memoryUsage()
  return { heapUsed, external, resources: process.getActiveResourcesInfo().length, files: openFiles() }
})

const collectGarbage = () => {
  if (globalThis.gc === undefined) throw new Error("this needs node --expose-gc")
  globalThis.gc()
}

const turn = Effect.callback<void>((resume) => void setTimeout(() => resume(Effect.void), 20))

/** Zero where the system does not tell. */
const openFiles = (): number => {
  try {
    return Fs.readdirSync("/proc/self/fd").length
  } catch {
    return 0
  }
}
