/** A deployment that is about to run here, whole or one unit of it, after everything was checked. */
import { ConfigProvider, Effect } from "effect"
import * as Deployment from "../Deployment.ts"
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

/** Checks what is to run here: names, dependencies, numbers, resources, variables. */
export const prepare = Effect.fnUntraced(function*(
  { configuration: read, deployment: whole }: Loaded,
  { unit, ...changes }: Changes & { readonly unit?: string | undefined }
) {
  const configuration = yield* read
  const deployment = unit === undefined ? whole : yield* only(whole, unit)
  const described = (configuration: Deployment.Configuration | undefined) =>
    describe(deployment, configuration, changes)
  const description = described(configuration)
  const addresses = unit === undefined ? {} : addressesOf(whole, describe(whole, configuration))
  yield* check(deployment, description, configuration).pipe(
    Effect.provide(layerAddresses(addresses)),
    Effect.mapError((error) => fail("deployment", error.message))
  )
  const prepared: Prepared = { deployment, description, addresses, describe: described }
  return prepared
})

/** What a configuration says of addresses, for whoever reads the environment. */
export const layerAddresses = (addresses: Readonly<Record<string, string>>) =>
  ConfigProvider.layerAdd(ConfigProvider.fromEnvRecord(addresses))

/** The flags of a command count where the machine is concerned, too. */
const check = Effect.fnUntraced(function*(
  deployment: Deployment.Any,
  description: DeploymentDescription,
  configuration: Deployment.Configuration | undefined
) {
  yield* Deployment.check(deployment, {
    environment: true,
    addresses: true,
    ...(configuration === undefined ? {} : { configuration })
  })
  const { inventory } = yield* Resources.Machine
  const { short } = Deployment.plan(description, inventory)
  if (short.length === 0) return
  return yield* fail(
    "deployment",
    `this machine has too little ${short.join(" and ")} for ${deployment.name}; chorale plan says for what`
  )
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
