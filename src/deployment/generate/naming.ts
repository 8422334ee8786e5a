/** The names that generated objects have: of units, of what is made for them, and of environment variables. */
import { Hash } from "effect"
import * as Discovery from "../../Discovery.ts"
import type { DeploymentDescription, UnitDescription } from "../Description.ts"

/** A pod has the name of its Deployment with up to 17 characters behind it, and its name has 63 at most. */
const longestName = 46

/** The names of objects, by the name of the unit that they are for. */
export interface Names {
  /** What the objects of a unit are called: as the unit, unless that is too long. */
  readonly unit: (name: string) => string
  /** What another object of the unit is called that cannot have the same name, such as its headless Service. */
  readonly derived: (name: string, suffix: string) => string
}

/** The names for a deployment; no two of them are the same. */
export const names = ({ units }: DeploymentDescription, longest = longestName): Names => {
  const own = new Map(units.map(({ name }) => [name, shortened(name, longest)]))
  const taken = new Set(own.values())
  const unit = (name: string): string => own.get(name) ?? shortened(name, longest)
  return {
    unit,
    derived: (name, suffix) => {
      const plain = `${unit(name)}-${suffix}`
      return taken.has(plain) ? `${withHash(unit(name), plain, longest)}-${suffix}` : plain
    }
  }
}

const shortened = (name: string, longest: number): string =>
  name.length <= longest ? name : withHash(name, name, longest)

const withHash = (name: string, whole: string, longest: number): string =>
  `${name.slice(0, longest - 8).replace(/-+$/, "")}-${hash(whole).slice(0, 7)}`

/** Eight hexadecimal digits that differ where texts do, as good as always; they keep nothing secret. */
export const hash = (text: string): string => (Hash.string(text) >>> 0).toString(16).padStart(8, "0")

/** The environment variables in which a service finds another one, by its key; the first that is set counts. */
export const variablesOf = (key: string): ReadonlyArray<string> => Discovery.variables({ key })

/**
 * The variable that says where a service is: `TEXT_DETECTOR_URL` of "ocr/TextDetector", or the longer one where the
 * short one could be meant for another service that is called.
 */
export const addressVariable = (key: string, called: ReadonlyArray<string>): string => {
  const [whole = "", last = whole] = variablesOf(key)
  return called.some((other) => other !== key && variablesOf(other).includes(last)) ? whole : last
}

/** The keys of the services that a unit calls, those of units first. */
export const calledBy = (unit: UnitDescription, { units }: DeploymentDescription): ReadonlyArray<string> => [
  ...unit.dependsOn.flatMap((name) => units.find((other) => other.name === name)?.service ?? []),
  ...unit.external
]
