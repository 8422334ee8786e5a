/** The latencies of the last calls, in order of time and in order of size. */

/** A window of latencies. */
export interface Latencies {
  readonly record: (millis: number) => void
  readonly count: () => number
  /** The latency that at least this part of the calls did not exceed (nearest rank). */
  readonly quantile: (part: number) => number
}

/** Keeps the last `size` latencies; recording costs a move within an array of that size, and reading nothing. */
export const make = (size: number): Latencies => {
  const ring = new Float64Array(size)
  const sorted = new Float64Array(size)
  let recorded = 0

  /** The first place in `sorted` whose latency is not below this one. */
  const place = (millis: number, count: number): number => {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]! < millis) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    record: (millis) => {
      let count = Math.min(recorded, size)
      const slot = recorded % size
      if (count === size) {
        const oldest = place(ring[slot]!, count)
        sorted.copyWithin(oldest, oldest + 1, count)
        count--
      }
      const index = place(millis, count)
      sorted.copyWithin(index + 1, index, count)
      sorted[index] = millis
      ring[slot] = millis
      recorded++
    },
    count: () => Math.min(recorded, size),
    quantile: (part) => {
      const count = Math.min(recorded, size)
      return count === 0 ? 0 : sorted[Math.max(0, Math.ceil(part * count) - 1)]!
    }
  }
}
