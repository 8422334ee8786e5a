/** The name that somebody may have meant. */

/** Of `names`, the one that is fewest changes of a character away from `name`; none where all are far from it. */
export const nearest = (name: string, names: Iterable<string>): string | undefined => {
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of names) {
    const found = distance(plain(name), plain(candidate))
    if (found <= Math.max(2, candidate.length / 3) && (best === undefined || found < best.distance)) {
      best = { name: candidate, distance: found }
    }
  }
  return best?.name
}

/** `minReplicas`, `min-replicas` and `min_replicas` are the same name to who types them. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

/** The least number of characters to add, remove, change or swap with the next one. */
const distance = (a: string, b: string): number => {
  let beforePrevious: ReadonlyArray<number> = []
  let previous: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      current.push(Math.min(
        (previous[j] ?? 0) + 1,
        (current[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + changed,
        swapped ? (beforePrevious[j - 2] ?? 0) + 1 : Infinity
      ))
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length] ?? 0
}
