/** What a process takes of memory besides what it needs, which counts as often as there are replicas. */
import { Effect } from "effect"

/**
 * Gives back what starting has left: parsing the modules of a program leaves half of its heap to be collected, and a
 * process that waits for calls would not. Takes some tens of milliseconds, once. Needs `--expose-gc`.
 */
export const release: Effect.Effect<void> = Effect.sync(() => {
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" })
})

/** The C library sets memory aside for every thread that allocates, and Node has a dozen; two places are enough. */
export const environment: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "2" }
