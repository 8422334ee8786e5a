/** What runs where: the units of a deployment held against one machine. */
import { ByteSize } from "effect"
import * as Fit from "../internal/plan.ts"
import type * as Resources from "../Resources.ts"
import { bytesOf } from "./describe.ts"
import type { DeploymentDescription, Placement, UnitDescription } from "./Description.ts"
import { table } from "./table.ts"

/**
 * What one unit takes of the machine: its replicas, what each of them needs (memory in bytes), and the GPUs of each. A
 * unit that runs elsewhere has its `url` and takes nothing.
 *
 * @category models
 * @since 0.2.0
 */
export interface PlannedUnit {
  readonly name: string
  readonly service: string
  readonly placement: Placement | "elsewhere"
  readonly replicas: number
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
  readonly gpus: ReadonlyArray<ReadonlyArray<number>>
  readonly url?: string
}

/**
 * The units of a deployment held against a machine: what each takes, what is taken of what there is, and what is short:
 * `cpu`, `memory`, `gpu` or `gpu <type>`; nothing where all of it fits. Memory is in bytes.
 *
 * @category models
 * @since 0.2.0
 */
export interface DeploymentPlan {
  readonly deployment: string
  readonly units: ReadonlyArray<PlannedUnit>
  readonly taken: { readonly cpu: number; readonly memory: number; readonly gpu: number }
  readonly machine: { readonly cpu: number; readonly memory: number; readonly gpu: number }
  readonly short: ReadonlyArray<string>
}

/**
 * Holds the units of a deployment against a machine; where they do not fit, `short` says of what there is too little.
 *
 * A unit that scales counts with the replicas that it starts with. A unit with a range of replicas and no number of its
 * own gets as many as fit after every unit has its least.
 *
 * @category constructors
 * @since 0.2.0
 */
export const plan = (description: DeploymentDescription, inventory: Resources.Inventory): DeploymentPlan => {
  const here = description.units.filter(({ url }) => url === undefined)
  const fit = Fit.make(here.map(toAsk), [], inventory)
  const shares = new Map(fit._tag === "Fits" ? fit.shares.map((share) => [share.service, share]) : [])
  const units = description.units.map((unit) => planned(unit, shares.get(unit.name)))
  const sum = (amount: "cpu" | "memory" | "gpu") => units.reduce((sum, unit) => sum + unit.replicas * unit[amount], 0)
  return {
    deployment: description.name,
    units,
    taken: { cpu: round(sum("cpu")), memory: sum("memory"), gpu: sum("gpu") },
    machine: { cpu: inventory.cpu, memory: inventory.memory, gpu: inventory.gpus.length },
    short: fit._tag === "Short" ? fit.short : []
  }
}

const planned = (unit: UnitDescription, share: Fit.Share | undefined): PlannedUnit => {
  const { name, resources, service, url } = unit
  if (url !== undefined) {
    return { name, service, placement: "elsewhere", replicas: 0, cpu: 0, memory: 0, gpu: 0, gpus: [], url }
  }
  return {
    name,
    service,
    placement: unit.placement,
    replicas: share?.replicas ?? toAsk(unit).least,
    cpu: resources.cpu ?? 0,
    memory: bytesOf(resources),
    gpu: resources.gpu ?? 0,
    gpus: share?.gpus ?? []
  }
}

const toAsk = ({ name, replicas, resources }: UnitDescription): Fit.Ask => {
  const range = typeof resources.replicas === "object" ? resources.replicas : { min: replicas, max: replicas }
  return {
    service: name,
    cpu: resources.cpu ?? 0,
    memory: bytesOf(resources),
    gpu: resources.gpu ?? 0,
    gpuType: resources.gpuType,
    least: range.min,
    most: range.max
  }
}

/**
 * A plan as a table for a terminal: a line a unit, what is taken in all, and the machine.
 *
 * @category converting
 * @since 0.2.0
 */
export const drawPlan = (plan: DeploymentPlan): string => {
  const rows = plan.units.map((unit) =>
    unit.url === undefined
      ? [
        unit.name,
        unit.placement,
        String(unit.replicas),
        ...amounts(unit.replicas * unit.cpu, unit.replicas * unit.memory, unit.replicas * unit.gpu),
        unit.gpus.filter((gpus) => gpus.length > 0).map((gpus) => gpus.join("+")).join(", ")
      ]
      : [unit.name, unit.placement, "", "", "", "", unit.url]
  )
  const { machine, short, taken } = plan
  const lines = table(["unit", "placement", "replicas", "cpu", "memory", "gpu", "where"], [
    ...rows,
    ["in all", "", "", ...amounts(taken.cpu, taken.memory, taken.gpu), ""],
    ["machine", "", "", ...amounts(machine.cpu, machine.memory, machine.gpu), ""]
  ], { right: [2, 3, 4, 5] })
  return short.length === 0 ? lines : `${lines}\nThere is not enough ${short.join(" and ")}.`
}

const amounts = (cpu: number, memory: number, gpu: number): ReadonlyArray<string> => [
  String(round(cpu)),
  formatBytes(memory),
  String(gpu)
]

/** Bytes in words, such as `512 MiB`. */
export const formatBytes = (bytes: number): string =>
  ByteSize.format(ByteSize.bytes(Math.ceil(bytes)), { system: "binary" })

// Shares such as 0.1 do not add up exactly in floating point.
const round = (cores: number): number => Number(cores.toFixed(3))
