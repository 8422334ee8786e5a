/** What a run of a given cost takes, learned from the last runs: a line through them by least squares. */

/** A run takes `perUnit` milliseconds for each unit of its cost and `perRun` besides. */
export interface Line {
  readonly perUnit: number
  readonly perRun: number
}

export interface CostModel {
  /** A run of that cost took so many milliseconds. */
  readonly observe: (cost: number, millis: number, now: number) => void
  /**
   * A run of that cost was stopped after so many milliseconds. That says something only when it is longer than was
   * expected.
   */
  readonly observeStopped: (cost: number, millis: number, now: number) => void
  readonly line: () => Line | undefined
  /** The milliseconds that a run of that cost will take; nothing is known before the first run. */
  readonly predict: (cost: number) => number | undefined
  /** Whether there is enough evidence to refuse a call by it. */
  readonly isKnown: () => boolean
  /** Whether there is, and recent. */
  readonly isTrusted: (now: number) => boolean
}

const remembered = 50

const fewest = 5

/** An older estimate lets a call through, which makes a new one: nothing is refused for ever because of one slow hour. */
const stale = 1000

export const make = (): CostModel => {
  const costs: Array<number> = []
  const times: Array<number> = []
  let next = 0
  let current: Line | undefined
  let isFitted = true
  let latest = -Infinity

  const observe = (cost: number, millis: number, now: number) => {
    costs[next] = cost
    times[next] = millis
    next = (next + 1) % remembered
    isFitted = false
    latest = now
  }
  /** Found when it is asked for, by a deadline or a full queue. */
  const line = (): Line | undefined => {
    if (!isFitted) current = fit(costs, times)
    isFitted = true
    return current
  }
  const predict = (cost: number) => {
    const known = line()
    return known === undefined ? undefined : known.perUnit * cost + known.perRun
  }

  return {
    observe,
    observeStopped(cost, millis, now) {
      const expected = predict(cost)
      if (expected === undefined) return
      if (millis > expected) observe(cost, millis, now)
      else latest = now
    },
    line,
    predict,
    isKnown: () => costs.length >= fewest,
    isTrusted: (now) => costs.length >= fewest && now - latest <= stale
  }
}

/** Neither part is ever negative; where all runs cost the same, the time is laid to the run and not to its units. */
export const fit = (costs: ReadonlyArray<number>, times: ReadonlyArray<number>): Line | undefined => {
  const count = costs.length
  if (count === 0) return undefined
  let cost = 0
  let time = 0
  for (let index = 0; index < count; index++) {
    cost += costs[index] ?? 0
    time += times[index] ?? 0
  }
  const meanCost = cost / count
  const meanTime = time / count
  let spread = 0
  let together = 0
  let square = 0
  for (let index = 0; index < count; index++) {
    const away = (costs[index] ?? 0) - meanCost
    spread += away * away
    together += away * ((times[index] ?? 0) - meanTime)
    square += (costs[index] ?? 0) ** 2
  }
  const perUnit = spread > 1e-9 * square ? together / spread : 0
  if (perUnit <= 0) return { perUnit: 0, perRun: meanTime }
  const perRun = meanTime - perUnit * meanCost
  // Through the origin, when a line with its own start would begin below it.
  return perRun >= 0 ? { perUnit, perRun } : { perUnit: (together + count * meanCost * meanTime) / square, perRun: 0 }
}
