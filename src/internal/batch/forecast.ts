/** When a call would be answered, by what runs, what waits before it, and what a run takes. */
import type { CostModel } from "./costModel.ts"
import type { Limit, Load } from "./queue.ts"

/** A run that has not ended. */
export interface Underway {
  readonly started: number
  readonly cost: number
}

export interface Situation {
  readonly now: number
  readonly executors: number
  readonly underway: Iterable<Underway>
  readonly limit: Limit
  readonly predict: CostModel["predict"]
}

/** The times at which the last of these items would start to run, and be done; nothing while no run has ended. */
export const forecast = (
  { executors, limit, now, predict, underway }: Situation,
  upToIt: Load
): { readonly start: number; readonly end: number } | undefined => {
  const free: Array<number> = []
  for (const { cost, started } of underway) free.push(Math.max(now, started + (predict(cost) ?? 0)))
  while (free.length < executors) free.push(now)
  free.sort((a, b) => a - b)

  const runs = Math.max(upToIt.items / limit.items, upToIt.cost / limit.cost, Number.MIN_VALUE)
  const before = Math.ceil(runs) - 1
  const fullCost = upToIt.cost / Math.max(runs, 1)
  const full = predict(fullCost)
  const last = predict(upToIt.cost - before * fullCost)
  if (full === undefined || last === undefined) return undefined
  const start = (free[before % executors] ?? now) + Math.floor(before / executors) * full
  return { start, end: start + last }
}
