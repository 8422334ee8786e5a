/** Everything that can be wrong with a deployment before anything of it runs. */
import { Config, Effect, Option, Result } from "effect"
import * as Discovery from "../Discovery.ts"
import type * as Model from "../Model.ts"
import type * as Resources from "../Resources.ts"
import type { Problem } from "./DeploymentInvalid.ts"
import { bytesOf, type Units } from "./describe.ts"
import type { DeploymentDescription, UnitDescription } from "./Description.ts"
import { cycles } from "./graph.ts"
import { formatBytes, plan } from "./plan.ts"

/** The problems that a deployment has wherever it runs. */
export const problemsOf = (description: DeploymentDescription, units: Units): ReadonlyArray<Problem> => [
  ...problemsOfName("name", description.name),
  ...(description.units.length === 0
    ? [problem("units", "there are none", "Give the deployment at least one unit.")]
    : []),
  ...description.units.flatMap(problemsOfUnit),
  ...clashes(description),
  ...clashesOfVariables(units),
  ...unserved(description),
  ...cycles(description).map((cycle) =>
    problem(
      `units.${cycle[0] ?? ""}.dependsOn`,
      `units need each other: ${cycle.join(" -> ")}`,
      "Leave out one of these dependencies, or put what both need into a unit of its own."
    )
  )
]

const problem = (path: string, detail: string, advice: string): Problem => ({ path, detail, advice })

const problemsOfName = (path: string, name: string): ReadonlyArray<Problem> =>
  isLabel(name) ? [] : [problem(
    path,
    `${JSON.stringify(name)} is no name`,
    "Use lower case letters, digits and hyphens, a letter first and no hyphen last, at most 63 characters."
  )]

/** Names become those of hosts, which RFC 1035 has begin with a letter. */
const isLabel = (name: string): boolean => /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)

const problemsOfUnit = (unit: UnitDescription): ReadonlyArray<Problem> => {
  const path = `units.${unit.name}`
  return [
    ...problemsOfName(path, unit.name),
    ...count(`${path}.replicas`, unit.replicas, 1),
    ...problemsOfScaling(`${path}.scaling`, unit),
    ...problemsOfResources(`${path}.resources`, unit.resources),
    ...problemsOfTraffic(`${path}.traffic`, unit.traffic),
    ...problemsOfUrl(`${path}.url`, unit.url),
    ...Object.keys(unit.environment).filter((name) => unit.secrets.includes(name)).map((name) =>
      problem(`${path}.environment.${name}`, "it is a secret and has a value here", "Leave it out of environment.")
    ),
    ...[...Object.keys(unit.environment), ...unit.secrets].filter((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)).map(
      (name) =>
        problem(
          `${path}.environment.${name}`,
          `${JSON.stringify(name)} is no name of an environment variable`,
          "Use letters, digits and underscores, and no digit first."
        )
    )
  ]
}

const count = (path: string, value: number | undefined, least: number): ReadonlyArray<Problem> =>
  value === undefined || Number.isInteger(value) && value >= least
    ? []
    : [problem(path, `${value} is no number for it`, `Use a whole number of at least ${least}.`)]

const more = (path: string, value: number | undefined, least: "than 0" | "0 or more"): ReadonlyArray<Problem> =>
  value === undefined || (Number.isFinite(value) && (least === "than 0" ? value > 0 : value >= 0))
    ? []
    : [problem(path, `${value} is no number for it`, least === "than 0" ? "Use more than 0." : "Use 0 or more.")]

const problemsOfScaling = (path: string, { replicas, resources, scaling }: UnitDescription): ReadonlyArray<Problem> => {
  if (scaling === undefined) return []
  const { maxReplicas, minReplicas, scaleDownWindow, scaleUpWindow, target } = scaling
  return [
    ...count(`${path}.minReplicas`, minReplicas, 1),
    ...count(`${path}.maxReplicas`, maxReplicas, 1),
    ...(minReplicas > maxReplicas
      ? [
        problem(
          path,
          `the least, ${minReplicas}, is more than the most, ${maxReplicas}`,
          "Lower one or raise the other."
        )
      ]
      : replicas < minReplicas || replicas > maxReplicas
      ? [problem(
        path,
        `the unit has ${replicas} replicas, which is not from ${minReplicas} to ${maxReplicas}`,
        "Change replicas, or the range."
      )]
      : []),
    ...(Object.values(target).every((value) => value === undefined)
      ? [problem(`${path}.target`, "there is none", "Say what is aimed at: concurrency, cpu or queue.")]
      : []),
    ...(target.cpu !== undefined && (resources.cpu ?? 0) === 0
      ? [
        problem(
          `${path}.target.cpu`,
          "it is percent of what a replica asks for, and it asks for none",
          "Give resources.cpu."
        )
      ]
      : []),
    ...more(`${path}.target.concurrency`, target.concurrency, "than 0"),
    ...more(`${path}.target.cpu`, target.cpu, "than 0"),
    ...more(`${path}.target.queue`, target.queue, "than 0"),
    ...more(`${path}.scaleUpWindow`, scaleUpWindow, "0 or more"),
    ...more(`${path}.scaleDownWindow`, scaleDownWindow, "0 or more")
  ]
}

const problemsOfResources = (path: string, resources: Resources.Request): ReadonlyArray<Problem> => [
  ...more(`${path}.cpu`, resources.cpu, "0 or more"),
  ...count(`${path}.gpu`, resources.gpu, 0),
  ...Result.match(Result.try(() => bytesOf(resources)), {
    onSuccess: () => [],
    onFailure: () => [
      problem(`${path}.memory`, `${String(resources.memory)} is no size`, "Use a number and a unit, such as 512 MiB.")
    ]
  })
]

const problemsOfTraffic = (path: string, traffic: UnitDescription["traffic"]): ReadonlyArray<Problem> => [
  ...count(`${path}.concurrency`, traffic.concurrency, 1),
  ...count(`${path}.queue`, traffic.queue, 0),
  ...more(`${path}.timeout`, traffic.timeout, "than 0"),
  ...(traffic.queue !== undefined && traffic.concurrency === undefined
    ? [problem(`${path}.queue`, "nothing waits where there is no limit", "Give concurrency, too, or leave queue out.")]
    : [])
]

const problemsOfUrl = (path: string, url: string | undefined): ReadonlyArray<Problem> => {
  if (url === undefined) return []
  return url.split(",").flatMap((address) => {
    const parsed = Discovery.parse(address.trim())
    return Result.isSuccess(parsed)
      ? []
      : [problem(path, `${JSON.stringify(address)} ${parsed.failure}`, "Use an address such as http://host:port.")]
  })
}

/** Two units for one service, and a service that is both served here and elsewhere. */
const clashes = ({ units }: DeploymentDescription): ReadonlyArray<Problem> => [
  ...Array.from(Map.groupBy(units, ({ service }) => service)).filter(([, units]) => units.length > 1).map((
    [service, units]
  ) =>
    problem(
      `units.${units[1]?.name ?? ""}`,
      `${units.map(({ name }) => name).join(" and ")} both serve ${service}`,
      "Leave one out: replicas says how many there are of a unit."
    )
  ),
  ...units.flatMap(({ external, name }) =>
    external.filter((key) => units.some(({ service }) => service === key)).map((key) =>
      problem(`units.${name}.external`, `${key} is served by a unit of this deployment`, "Name it in dependsOn.")
    )
  )
]

/** Services whose addresses the environment could not tell apart. */
const clashesOfVariables = (units: Units): ReadonlyArray<Problem> => {
  const services = new Map(
    Object.values(units).flatMap(({ external, service }) => [service, ...external]).map((each) => [each.key, each])
  )
  const keysByVariable = Map.groupBy(services.values(), (service) => Discovery.variables(service).at(-1) ?? "")
  return Array.from(keysByVariable).filter(([, services]) => services.length > 1).map(([variable, services]) =>
    problem(
      "units",
      `${services.map(({ key }) => key).join(" and ")} would both be found by ${variable}`,
      "Give one of these services another name after its last slash."
    )
  )
}

const unserved = ({ units }: DeploymentDescription): ReadonlyArray<Problem> => {
  const names = new Set(units.map(({ name }) => name))
  return units.flatMap(({ dependsOn, name }) =>
    dependsOn.filter((dependency) => !names.has(dependency)).map((dependency) =>
      problem(`units.${name}.dependsOn`, `no unit serves ${dependency}`, "Add a unit for it, or name it in external.")
    )
  )
}

/** The problem that the units do not fit on a machine. */
export const problemsOnMachine = (
  description: DeploymentDescription,
  inventory: Resources.Inventory
): ReadonlyArray<Problem> => {
  // A size that is none is a problem of its unit.
  if (description.units.some(({ resources }) => problemsOfResources("", resources).length > 0)) return []
  const { machine, short, taken } = plan(description, inventory)
  const asked = `cpu ${taken.cpu}, memory ${formatBytes(taken.memory)}, gpu ${taken.gpu}`
  const has = `cpu ${machine.cpu}, memory ${formatBytes(machine.memory)}, gpu ${machine.gpu}`
  return short.length === 0 ? [] : [problem(
    "units",
    `they ask for more ${short.join(" and ")} than this machine has: ${asked}, of ${has}`,
    "Lower resources or replicas, or give a unit the url of another machine."
  )]
}

/** Variables that units read and the configuration does not have. */
export const problemsOfEnvironment = Effect.fnUntraced(function*(description: DeploymentDescription) {
  const problems: Array<Problem> = []
  for (const { environment, name: unit, secrets, url } of description.units) {
    if (url !== undefined) continue
    const open = Object.keys(environment).filter((name) => environment[name] === undefined)
    for (const name of new Set([...open, ...secrets])) {
      if (Option.isSome(yield* optional(name))) continue
      const place = secrets.includes(name) ? "secrets" : `environment.${name}`
      problems.push(problem(`units.${unit}.${place}`, `the environment has no ${name}`, "Set it before you start."))
    }
  }
  return problems
})

/** Services outside of the deployment that the configuration has no addresses of. */
export const problemsOfAddresses = Effect.fnUntraced(function*(description: DeploymentDescription, units: Units) {
  const problems: Array<Problem> = []
  for (const { name, url } of description.units) {
    if (url !== undefined) continue
    for (const service of units[name]?.external ?? []) problems.push(...yield* problemsOfAddress(name, service))
  }
  return problems
})

const problemsOfAddress = (unit: string, service: Model.Any): Effect.Effect<ReadonlyArray<Problem>> =>
  Discovery.configured(service).pipe(Effect.match({
    onFailure: (
      error
    ) => [problem(`units.${unit}.external`, error.message, "Use an address such as http://host:port.")],
    onSuccess: (addresses) =>
      Option.isSome(addresses) ? [] : [problem(
        `units.${unit}.external`,
        `the environment does not say where ${service.key} is`,
        `Set ${Discovery.variables(service).at(-1) ?? ""} to its address, such as http://host:port.`
      )]
  }))

const optional = (name: string): Effect.Effect<Option.Option<string>> =>
  Effect.orElseSucceed(Config.option(Config.String(name)), Option.none)
