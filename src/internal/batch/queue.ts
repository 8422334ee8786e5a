/**
 * The items that wait for a run: by priority, and by arrival within one.
 *
 * Everything here is synchronous: an item is in the queue or it is not.
 */

/** What the queue has to know of an item. */
export interface Waiting {
  /** A higher number goes first. */
  readonly priority: number
  readonly cost: number
  /** Only items of the same group share a run. */
  readonly group: unknown
}

/** So many items that cost so much together. */
export interface Load {
  readonly items: number
  readonly cost: number
}

/** The most that one run takes. */
export type Limit = Load

interface PriorityClass<Item> {
  readonly priority: number
  readonly items: Set<Item>
  cost: number
}

export interface Queue<Item extends Waiting> extends Iterable<Item> {
  readonly load: () => Load
  /** What goes before an item of that priority that arrives now. */
  readonly ahead: (priority: number) => Load
  readonly add: (item: Item) => void
  /** Whether the item was waiting. */
  readonly remove: (item: Item) => boolean
  /**
   * Takes what goes first, up to the limit. An item that alone costs more than the limit is taken alone; one that
   * `isLate` is taken out and does not count.
   */
  readonly take: (limit: Limit, isLate: (item: Item) => boolean) => Taken<Item>
}

export interface Taken<Item> {
  readonly items: ReadonlyArray<Item>
  readonly late: ReadonlyArray<Item>
  readonly cost: number
}

const usual = 0

export const make = <Item extends Waiting>(): Queue<Item> => {
  const first: PriorityClass<Item> = { priority: usual, items: new Set(), cost: 0 }
  /** Highest priority first; the one of the usual priority stays when it is empty. */
  const classes = [first]

  const classOf = (priority: number): PriorityClass<Item> => {
    if (priority === usual) return first
    const position = classes.findIndex((other) => other.priority <= priority)
    const found = classes[position]
    if (found?.priority === priority) return found
    const added: PriorityClass<Item> = { priority, items: new Set(), cost: 0 }
    classes.splice(position === -1 ? classes.length : position, 0, added)
    return added
  }

  const removeFrom = (from: PriorityClass<Item>, item: Item) => {
    if (!from.items.delete(item)) return false
    from.cost = from.items.size === 0 ? 0 : from.cost - item.cost
    return true
  }

  const dropEmpty = (from: PriorityClass<Item>) => {
    if (from !== first && from.items.size === 0) classes.splice(classes.indexOf(from), 1)
  }

  const total = (matches: (priority: number) => boolean): Load => {
    let items = 0
    let cost = 0
    for (const each of classes) {
      if (!matches(each.priority)) continue
      items += each.items.size
      cost += each.cost
    }
    return { items, cost }
  }

  return {
    load: () => classes.length === 1 ? { items: first.items.size, cost: first.cost } : total(() => true),
    ahead: (priority) => total((other) => other >= priority),
    add(item) {
      const to = classOf(item.priority)
      to.items.add(item)
      to.cost += item.cost
    },
    remove(item) {
      const from = classes.find(({ priority }) => priority === item.priority)
      if (from === undefined || !removeFrom(from, item)) return false
      dropEmpty(from)
      return true
    },
    take(limit, isLate) {
      const items: Array<Item> = []
      const late: Array<Item> = []
      let cost = 0
      const fits = (item: Item) => items.length === 0 || (items.length < limit.items && cost + item.cost <= limit.cost)
      const takeFrom = (from: PriorityClass<Item>): "full" | "more" => {
        for (const item of from.items) {
          if (isLate(item)) {
            removeFrom(from, item)
            late.push(item)
            continue
          }
          if (items[0] !== undefined && items[0].group !== item.group) continue
          if (!fits(item)) return "full"
          removeFrom(from, item)
          items.push(item)
          cost += item.cost
        }
        return "more"
      }
      for (const each of classes) {
        if (takeFrom(each) === "full") break
      }
      if (classes.length > 1) { for (const each of classes.filter(({ items }) => items.size === 0)) dropEmpty(each) }
      return { items, late, cost }
    },
    *[Symbol.iterator]() {
      for (const { items } of classes) yield* items
    }
  }
}
