/** A deployment drawn with characters, for a terminal. */
import { bytesOf } from "./describe.ts"
import type { DeploymentDescription, UnitDescription } from "./Description.ts"
import { replicasText } from "./graph.ts"
import { formatBytes } from "./plan.ts"

/**
 * Draws a deployment as trees: units that nothing depends on, with arrows to what they call.
 *
 * What several units call is drawn where it is first called, and named where it is called again. Lines longer than
 * `width` (80) characters are cut.
 *
 * @category converting
 * @since 0.2.0
 */
export const draw = (
  description: DeploymentDescription,
  { width = 80 }: { readonly width?: number } = {}
): string => {
  const rows = trees(description)
  const indent = Math.max(...rows.map(({ tree }) => tree.length))
  const textOfRow = ({ again, unit }: Row) => unit === undefined ? elsewhere : again ? "see above" : textOf(unit)
  return rows.map((row) => cut(`${row.tree.padEnd(indent)}  ${textOfRow(row)}`, width)).join("\n")
}

/** A line of the trees: a unit or a service elsewhere below who calls it, the unit where it is one. */
export interface Row {
  readonly tree: string
  readonly caller: string | undefined
  readonly name: string
  readonly unit: UnitDescription | undefined
  /** Whether what it calls stands where it was first called. */
  readonly again: boolean
}

/** The lines of the trees: units that nothing depends on, and what they call below them. */
export const trees = ({ units }: DeploymentDescription): ReadonlyArray<Row> => {
  const byName = new Map(units.map((unit) => [unit.name, unit]))
  const called = new Set(units.flatMap(({ dependsOn, name }) => dependsOn.filter((other) => other !== name)))
  const drawn = new Set<string>()
  const rows: Array<Row> = []

  const visit = (name: string, caller: string | undefined, prefix: string, branch: string): void => {
    const unit = byName.get(name)
    const again = drawn.has(name)
    drawn.add(name)
    rows.push({ tree: `${prefix}${branch}${name}`, caller, name, unit, again })
    if (unit === undefined || again) return
    const below = branch === "" ? "" : `${prefix}${branch === lastBranch ? "    " : "│   "}`
    const callees = [...unit.dependsOn, ...unit.external]
    callees.forEach((callee, index) =>
      visit(callee, name, below, index === callees.length - 1 ? lastBranch : middleBranch)
    )
  }

  const starts = units.filter(({ name }) => !called.has(name)).reverse()
  for (const { name } of starts) visit(name, undefined, "", "")
  // Only units that need each other are left; a deployment with those is refused, and drawn so that one sees why.
  for (const { name } of units) if (!drawn.has(name)) visit(name, undefined, "", "")
  return rows
}

const middleBranch = "├─> "
const lastBranch = "└─> "
const elsewhere = "elsewhere"

const textOf = (unit: UnitDescription): string => {
  if (unit.url !== undefined) return `${unit.service}, at ${unit.url}`
  const { cpu, gpu, gpuType, memory } = unit.resources
  return [
    unit.service,
    replicasText(unit),
    ...(unit.placement === "local" ? [] : [unit.placement === "threads" ? "in threads" : "in processes"]),
    ...(cpu === undefined ? [] : [`cpu ${cpu}`]),
    ...(memory === undefined ? [] : [formatBytes(bytesOf(unit.resources))]),
    ...(gpu === undefined || gpu === 0 ? [] : [`${gpu} ${gpuType ?? "GPU"}`]),
    ...(unit.expose ? ["exposed"] : [])
  ].join(", ")
}

const cut = (line: string, width: number): string =>
  line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`
