/** The order in which units start: each after those that it depends on. */
import type { UnitDescription } from "./Description.ts"

/** The units, dependencies first; otherwise as they were given. Units in a cycle come where they are first met. */
export const dependenciesFirst = (units: ReadonlyArray<UnitDescription>): ReadonlyArray<UnitDescription> => {
  const byName = new Map(units.map((unit) => [unit.name, unit]))
  const ordered = new Set<UnitDescription>()
  const met = new Set<UnitDescription>()
  const visit = (unit: UnitDescription): void => {
    if (met.has(unit)) return
    met.add(unit)
    for (const name of unit.dependsOn) {
      const dependency = byName.get(name)
      if (dependency !== undefined) visit(dependency)
    }
    ordered.add(unit)
  }
  for (const unit of units) visit(unit)
  return Array.from(ordered)
}

/**
 * The names of the units in stages: those of a stage depend only on those of earlier ones, so they can start at the same
 * time.
 *
 * @category getters
 * @since 0.2.0
 */
export const stages = (units: ReadonlyArray<UnitDescription>): ReadonlyArray<ReadonlyArray<string>> => {
  const stageOf = new Map<string, number>()
  const all: Array<Array<string>> = []
  for (const { dependsOn, name } of dependenciesFirst(units)) {
    const stage = Math.max(-1, ...dependsOn.map((dependency) => stageOf.get(dependency) ?? -1)) + 1
    stageOf.set(name, stage)
    all[stage] = [...all[stage] ?? [], name]
  }
  return all
}
