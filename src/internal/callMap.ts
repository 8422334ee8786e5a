/**
 * The calls in flight, by their ids.
 *
 * A `Map` of V8 makes a new table each time its last entry is deleted, which a caller who waits for each answer does with
 * every call: that was 3 % of what a thread does for a call. This one keeps an entry that nobody sees, and so never empties.
 */
export class CallMap<Key, Call> {
  readonly #entries = new Map<Key | typeof kept, Call | undefined>([[kept, undefined]])

  get size(): number {
    return this.#entries.size - 1
  }

  has(key: Key): boolean {
    return this.#entries.has(key)
  }

  get(key: Key): Call | undefined {
    return this.#entries.get(key)
  }

  set(key: Key, call: Call): void {
    this.#entries.set(key, call)
  }

  /** Whether there was one. */
  delete(key: Key): boolean {
    return this.#entries.delete(key)
  }

  /** The calls at this moment with their ids, in the order in which they began. */
  entries(): ReadonlyArray<readonly [Key, Call]> {
    const entries: Array<readonly [Key, Call]> = []
    this.#entries.forEach((call, key) => {
      // Whatever has a key that users of this class can have was set by `set`.
      if (key !== kept) entries.push([key, call as Call])
    })
    return entries
  }

  clear(): void {
    this.#entries.clear()
    this.#entries.set(kept, undefined)
  }
}

const kept = Symbol("kept")
