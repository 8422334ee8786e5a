/** The environment of a unit: addresses of what it calls, values, and what must come from where it runs. */
import type { DeploymentDescription, UnitDescription } from "../Description.ts"
import { addressVariable, calledBy, variablesOf } from "./naming.ts"

/** One environment variable. */
export type Variable =
  | { readonly kind: "address" | "value"; readonly name: string; readonly value: string }
  /** To be set where the unit runs. A secret is never written down, the other may be. */
  | { readonly kind: "open" | "secret"; readonly name: string; readonly meaning: string }

/**
 * The variables of a unit by name: first the addresses of units, then the others.
 *
 * `addressOf` says where a unit of the deployment that has no `url` answers. What the unit sets itself counts more.
 */
export const environmentOf = (
  unit: UnitDescription,
  description: DeploymentDescription,
  addressOf: (unit: UnitDescription) => string
): ReadonlyArray<Variable> => {
  const secrets = new Set(unit.secrets)
  const values = Object.entries(unit.environment).filter(([name]) => !secrets.has(name))
  const given = new Set([...secrets, ...values.flatMap(([name, value]) => value === undefined ? [] : [name])])
  const called = calledBy(unit, description)
  const addresses = called.flatMap((key): ReadonlyArray<Variable> => {
    if (variablesOf(key).some((name) => given.has(name))) return []
    const name = addressVariable(key, called)
    const served = description.units.find(({ service }) => service === key)
    return [
      served === undefined
        ? { kind: "open", name, meaning: `the address of ${key}, such as http://host:port` }
        : { kind: "address", name, value: served.url ?? addressOf(served) }
    ]
  })
  const found = new Set(addresses.map(({ name }) => name))
  const others = values.filter(([name]) => !found.has(name)).map(([name, value]): Variable =>
    value === undefined ? { kind: "open", name, meaning: "what the unit reads" } : { kind: "value", name, value }
  )
  const secret = Array.from(secrets, (name): Variable => ({ kind: "secret", name, meaning: "a secret" }))
  return [
    ...addresses.filter(({ kind }) => kind === "address"),
    ...[...addresses.filter(({ kind }) => kind !== "address"), ...others, ...secret].toSorted(byName)
  ]
}

const byName = (a: Variable, b: Variable): number => a.name < b.name ? -1 : a.name > b.name ? 1 : 0
