/** One call whose item was cut into several, which wait and run as any others. */
import { Array, Effect, Exit } from "effect"
import type { Dispatcher, Entry, Refusal } from "./dispatcher.ts"

/** Joins the results of all the parts; the first that fails ends the call, and the others are withdrawn. */
export const submit = <Item, A, E>(
  dispatcher: Dispatcher<Item, A, E>,
  parts: ReadonlyArray<Item>,
  makeEntry: (part: Item, answer: (exit: Exit.Exit<A, E | Refusal>) => void) => Entry<Item, A, E>,
  join: (results: Array.NonEmptyReadonlyArray<A>) => A
): Effect.Effect<A, E | Refusal> =>
  Effect.callback((resume) => {
    const results: Array<A> = []
    const unanswered = new Set<Entry<Item, A, E>>()
    const withdraw = () => {
      // The last first: when one that runs is stopped, the next that waits would begin.
      const left = [...unanswered].reverse()
      unanswered.clear()
      for (const entry of left) dispatcher.withdraw(entry)
    }
    const entries = parts.map((part, index) => {
      const entry = makeEntry(part, (exit) => {
        if (!unanswered.delete(entry)) return
        if (Exit.isFailure(exit)) {
          withdraw()
          return resume(exit)
        }
        results[index] = exit.value
        if (unanswered.size === 0 && Array.isArrayNonEmpty(results)) {
          const all = results
          resume(Effect.sync(() => join(all)))
        }
      })
      return entry
    })
    if (entries.length === 0) return resume(Effect.die(new RangeError("`oversized.split` gave no parts")))
    for (const entry of entries) unanswered.add(entry)
    const refusal = dispatcher.submit(entries)
    if (refusal !== undefined) return resume(Effect.fail(refusal))
    return Effect.sync(withdraw)
  })
