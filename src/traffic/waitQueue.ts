/** Calls that wait, by priority and then by the order in which they came. */

/** What the queue keeps of a call that waits. */
export interface Waiter {
  readonly priority: number
  readonly permits: number
  level: Level | undefined
  earlier: Waiter | undefined
  later: Waiter | undefined
}

/** The calls of one priority, from the one that came first to the one that came last. */
interface Level {
  readonly priority: number
  permits: number
  first: Waiter | undefined
  last: Waiter | undefined
}

/** A queue in which a call can be taken out from any place at once. */
export class WaitQueue<W extends Waiter> {
  readonly #levels: Array<Level> = []
  readonly #lastFirst: boolean
  size = 0
  /** What those that wait have asked for together. */
  permits = 0

  constructor(lastFirst: boolean) {
    this.#lastFirst = lastFirst
  }

  /** The call whose turn is next. */
  get next(): W | undefined {
    const level = this.#levels[0]
    // Only `add` puts waiters in, and it takes those of type `W`.
    return (this.#lastFirst ? level?.last : level?.first) as W | undefined
  }

  /** The call that came last among those of the lowest priority, if that is below the one given. */
  lowestBelow(priority: number): W | undefined {
    const level = this.#levels.at(-1)
    return level !== undefined && level.priority < priority ? level.last as W : undefined
  }

  /** What a call of that priority would find before it, in permits. */
  ahead(priority: number): number {
    if (this.#lastFirst) return 0
    let permits = 0
    for (const level of this.#levels) if (level.priority >= priority) permits += level.permits
    return permits
  }

  add(waiter: W): void {
    const level = this.#level(waiter.priority)
    waiter.level = level
    waiter.earlier = level.last
    if (level.last === undefined) level.first = waiter
    else level.last.later = waiter
    level.last = waiter
    level.permits += waiter.permits
    this.size++
    this.permits += waiter.permits
  }

  remove(waiter: W): void {
    const level = waiter.level
    if (level === undefined) return
    if (waiter.earlier === undefined) level.first = waiter.later
    else waiter.earlier.later = waiter.later
    if (waiter.later === undefined) level.last = waiter.earlier
    else waiter.later.earlier = waiter.earlier
    waiter.level = waiter.earlier = waiter.later = undefined
    level.permits -= waiter.permits
    this.size--
    this.permits -= waiter.permits
    if (level.first === undefined) this.#levels.splice(this.#levels.indexOf(level), 1)
  }

  #level(priority: number): Level {
    const index = this.#levels.findIndex((level) => level.priority <= priority)
    const found = this.#levels[index]
    if (found?.priority === priority) return found
    const level: Level = { priority, permits: 0, first: undefined, last: undefined }
    this.#levels.splice(index === -1 ? this.#levels.length : index, 0, level)
    return level
  }
}
