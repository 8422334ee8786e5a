/** A deployment that is about to run here, whole or one unit of it, and all that is wrong with that. */
import { Array as Arrays, ConfigProvider, Effect } from "effect"
import * as Deployment from "../Deployment.ts"
import { problemsOnMachine } from "../deployment/check.ts"
import type { DeploymentDescription, UnitDescription } from "../deployment/Description.ts"
import * as Resources from "../Resources.ts"
import * as Located from "../supervisor/located.ts"
import { fail } from "./ExitCode.ts"
import { type Changes, describe, type Loaded } from "./load.ts"

/** What is to run. */
export interface Prepared {
  readonly deployment: Deployment.Any
  readonly description: DeploymentDescription
  /** The same, with a configuration that was read again. */
  readonly describe: (configuration: Deployment.Configuration | undefined) => DeploymentDescription
  /** Addresses that the configuration has for services that the unit calls; those of the environment come before. */
  readonly addresses: Readonly<Record<string, string>>
}

/** What is to run here, unless something is wrong with it. */
export const prepare = (...args: Parameters<typeof examine>) =>
  Effect.flatMap(examine(...args), ({ prepared, problems }) => Effect.as(refuse(prepared, problems), prepared))

/** Fails with the problems, where there are any, in one report. */
export const refuse = ({ deployment: { name } }: Pick<Prepared, "deployment">, problems: ReadonlyArray<Problem>) =>
  Arrays.isReadonlyArrayNonEmpty(problems)
    ? Effect.fail(fail("deployment", new Deployment.DeploymentInvalid({ deployment: name, problems }).message))
    : Effect.void

type Problem = typeof Deployment.Problem.Type

/** What is to run here, and what is wrong with it: names, dependencies, numbers, resources, variables. */
export const examine = Effect.fnUntraced(function*(
  { configuration: read, deployment: whole }: Loaded,
  { unit, ...changes }: Changes & { readonly unit?: string | undefined }
) {
  const configuration = yield* read
  const deployment = unit === undefined ? whole : yield* only(whole, unit)
  const described = (configuration: Deployment.Configuration | undefined) =>
    describe(deployment, configuration, changes)
  const description = described(configuration)
  const addresses = unit === undefined ? {} : addressesOf(whole, describe(whole, configuration))
  const prepared: Prepared = { deployment, description, addresses, describe: described }
  const problems = yield* Effect.provide(check(prepared, configuration), layerAddresses(addresses))
  return { prepared, problems }
})

/** What a configuration says of addresses, for whoever reads the environment. */
export const layerAddresses = (addresses: Readonly<Record<string, string>>) =>
  ConfigProvider.layerAdd(ConfigProvider.fromEnvRecord(addresses))

/** The flags of a command count where the machine is concerned, too. */
const check = Effect.fnUntraced(function*(
  { deployment, description }: Prepared,
  configuration: Deployment.Configuration | undefined
) {
  const options = configuration === undefined ? {} : { configuration }
  const problems = yield* Deployment.check(deployment, { environment: true, addresses: true, ...options }).pipe(
    Effect.match({ onFailure: ({ problems }) => problems, onSuccess: () => [] })
  )
  const { inventory } = yield* Resources.Machine
  return [...problems, ...problemsOnMachine(description, inventory)]
})

/** A deployment of that unit alone, which finds the services that it calls as it finds those outside. */
const only = Effect.fnUntraced(function*(deployment: Deployment.Any, name: string) {
  const unit = Object.hasOwn(deployment.units, name) ? deployment.units[name] : undefined
  if (unit === undefined) {
    const names = Object.keys(deployment.units).join(", ")
    return yield* fail("usage", `${deployment.name} has no unit ${name}; it has ${names}`)
  }
  const alone: Deployment.Any = {
    name: deployment.name,
    units: { [name]: { ...unit, dependsOn: [], external: [...unit.dependsOn, ...unit.external] } }
  }
  return alone
})

const addressesOf = (deployment: Deployment.Any, { units }: DeploymentDescription) =>
  Object.fromEntries(units.flatMap(({ name, url }: UnitDescription) => {
    const unit = deployment.units[name]
    return unit === undefined || url === undefined ? [] : [[Located.variable(unit.service), url]]
  }))
