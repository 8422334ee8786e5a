/** How long a free executor waits for more items, where it was told to wait at all. */
import type { Deadline } from "../../Deadline.ts"
import type { CostModel } from "./costModel.ts"

/** Wait until so many items are there, but for no item longer than that. */
export interface Hold {
  readonly minSize: number
  /** In milliseconds. */
  readonly maxDelay: number
}

interface Held {
  readonly arrived: number
  readonly cost: number
  readonly deadline: Deadline | undefined
}

/** Less than that is no time that a timer can tell. */
const least = 0.01

/** The part of the expected time, and the milliseconds, that a run with a deadline is begun earlier to be done by then. */
const margin = { part: 0.1, millis: 1 }

/** The milliseconds until the first of them must run; 0 when there are enough, or while nobody knows what a run takes. */
export const remaining = (
  { maxDelay, minSize }: Hold,
  waiting: Iterable<Held>,
  now: number,
  predict: CostModel["predict"]
): number => {
  let items = 0
  let cost = 0
  let end = Infinity
  let tightest = Infinity
  for (const held of waiting) {
    items++
    cost += held.cost
    end = Math.min(end, held.arrived + maxDelay)
    if (held.deadline !== undefined) tightest = Math.min(tightest, held.deadline.at)
  }
  if (items >= minSize) return 0
  if (tightest < Infinity) {
    const expected = predict(cost)
    if (expected === undefined) return 0
    end = Math.min(end, tightest - expected * (1 + margin.part) - margin.millis)
  }
  return end - now < least ? 0 : end - now
}
