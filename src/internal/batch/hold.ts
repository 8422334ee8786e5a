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

/**
 * How much earlier a run with a deadline is begun to be done by then: a part of the expected time, some milliseconds, and
 * a part of the time that the call had left when it came, for its answer may have a hop to go.
 */
const margin = { ofRun: 0.1, millis: 1, ofCall: 0.05 }

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
    if (held.deadline === undefined) continue
    const { at } = held.deadline
    tightest = Math.min(tightest, at - (at - held.arrived) * margin.ofCall)
  }
  if (items >= minSize) return 0
  if (tightest < Infinity) {
    const expected = predict(cost)
    if (expected === undefined) return 0
    end = Math.min(end, tightest - expected * (1 + margin.ofRun) - margin.millis)
  }
  return end - now < least ? 0 : end - now
}
