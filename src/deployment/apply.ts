/** Puts a configuration over the description of a deployment, and tells two descriptions apart. */
import { Duration, Equal } from "effect"
import type * as Resources from "../Resources.ts"
import type { Configuration, UnitConfiguration } from "./configuration.ts"
import { defaultWindows } from "./describe.ts"
import type { DeploymentDescription, Scaling, Traffic, UnitDescription } from "./Description.ts"

/**
 * The description with what the configuration says put over it.
 *
 * Within `resources`, `traffic`, `env` and `scaling` only what is named changes; `target` and `secrets` are replaced. A
 * number of replicas replaces a range that `Resources.require` asked for. Names of units that the description does not
 * have are left aside: `parseConfiguration` refuses them where it is given the names.
 *
 * @category combinators
 * @since 0.2.0
 */
export const applyConfiguration = (
  description: DeploymentDescription,
  configuration: Configuration
): DeploymentDescription => ({
  ...description,
  units: description.units.map((unit) => {
    const over = Object.hasOwn(configuration.units, unit.name) ? configuration.units[unit.name] : undefined
    return over === undefined ? unit : applyToUnit(unit, over)
  })
})

const applyToUnit = (unit: UnitDescription, over: UnitConfiguration): UnitDescription => {
  const scaling = over.scaling === undefined ? unit.scaling : toScaling(unit.scaling, over.scaling)
  return {
    ...unit,
    placement: over.placement ?? unit.placement,
    replicas: over.replicas ?? within(scaling, unit.replicas),
    resources: toResources(unit.resources, over),
    traffic: { ...unit.traffic, ...toTraffic(over.traffic ?? {}) },
    environment: { ...unit.environment, ...toEnvironment(over.env ?? {}) },
    secrets: over.secrets ?? unit.secrets,
    ...(scaling === undefined ? {} : { scaling }),
    ...(over.url === undefined ? {} : { url: over.url }),
    ...(over.instance_type === undefined ? {} : { instanceType: over.instance_type }),
    ...(over.image === undefined ? {} : { image: over.image })
  }
}

const toResources = (base: Resources.Request, { replicas, resources = {} }: UnitConfiguration): Resources.Request => {
  const { gpu_type: gpuType, memory, ...amounts } = resources
  const { replicas: range, ...asked } = base
  const request = { ...asked, ...amounts }
  if (gpuType !== undefined) Object.assign(request, { gpuType })
  if (memory !== undefined) Object.assign(request, { memory })
  return range === undefined || replicas !== undefined ? request : { ...request, replicas: range }
}

/** A unit that a configuration makes scale begins within its range. */
const within = (scaling: Scaling | undefined, replicas: number): number =>
  scaling === undefined ? replicas : Math.max(scaling.minReplicas, Math.min(scaling.maxReplicas, replicas))

const toScaling = (base: Scaling | undefined, over: NonNullable<UnitConfiguration["scaling"]>): Scaling => {
  const minReplicas = over.min_replicas ?? base?.minReplicas ?? 1
  return {
    minReplicas,
    maxReplicas: over.max_replicas ?? base?.maxReplicas ?? minReplicas,
    target: over.target ?? base?.target ?? {},
    scaleUpWindow: millis(over.scale_up_window) ?? base?.scaleUpWindow ?? defaultWindows.scaleUpWindow,
    scaleDownWindow: millis(over.scale_down_window) ?? base?.scaleDownWindow ?? defaultWindows.scaleDownWindow
  }
}

const toTraffic = ({ timeout, ...limits }: NonNullable<UnitConfiguration["traffic"]>): Traffic => {
  const time = millis(timeout)
  return time === undefined ? limits : { ...limits, timeout: time }
}

const toEnvironment = (env: NonNullable<UnitConfiguration["env"]>): UnitDescription["environment"] =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value === null ? undefined : String(value)]))

const millis = (input: string | undefined): number | undefined =>
  // The schema took only texts that are times, with or without the space.
  input === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(
    input.replace(/^([0-9.]+) ?/, "$1 ") as Duration.Input
  ))

/**
 * What differs between two descriptions of a deployment, by the names of its units.
 *
 * `live` can be changed while the units run: replicas, traffic and scaling. `restart` takes effect when the unit is
 * started again. Units that are only in one of the two are `added` or `removed`.
 *
 * @category models
 * @since 0.2.0
 */
export interface Differences {
  readonly live: ReadonlyArray<Difference>
  readonly restart: ReadonlyArray<Difference>
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
}

/**
 * What of a unit has changed, such as its `replicas`.
 *
 * @category models
 * @since 0.2.0
 */
export interface Difference {
  readonly unit: string
  readonly key: keyof UnitDescription
}

/**
 * Tells two descriptions of a deployment apart: what can be changed while it runs, and what needs a restart.
 *
 * @category getters
 * @since 0.2.0
 */
export const differences = (before: DeploymentDescription, after: DeploymentDescription): Differences => {
  const earlier = new Map(before.units.map((unit) => [unit.name, unit]))
  const later = new Set(after.units.map(({ name }) => name))
  const changed = after.units.flatMap((unit) => {
    const old = earlier.get(unit.name)
    return old === undefined
      ? []
      : keys.filter((key) => !Equal.equals(old[key], unit[key])).map((key) => ({ unit: unit.name, key }))
  })
  return {
    live: changed.filter(({ key }) => live.has(key)),
    restart: changed.filter(({ key }) => !live.has(key)),
    added: after.units.filter(({ name }) => !earlier.has(name)).map(({ name }) => name),
    removed: before.units.filter(({ name }) => !later.has(name)).map(({ name }) => name)
  }
}

const live: ReadonlySet<keyof UnitDescription> = new Set(["replicas", "traffic", "scaling"] as const)

const keys = [
  "service",
  "methods",
  "placement",
  "replicas",
  "scaling",
  "resources",
  "traffic",
  "dependsOn",
  "external",
  "environment",
  "secrets",
  "expose",
  "url",
  "instanceType",
  "image"
] as const satisfies ReadonlyArray<keyof UnitDescription>
