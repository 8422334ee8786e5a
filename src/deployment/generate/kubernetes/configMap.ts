/** The ConfigMap of a unit: what of its environment is no secret and no address. */
import { type Commented, commented } from "../yaml.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

export const configMapName = ({ names, unit }: Target): string => names.derived(unit.name, "environment")

/** The values of a unit's environment, by variable. */
export const valuesOf = ({ variables }: Target): Readonly<Record<string, string>> =>
  Object.fromEntries(
    variables.flatMap((variable) => variable.kind === "value" ? [[variable.name, variable.value]] : [])
  )

/** Nothing where the unit reads nothing from it. */
export const configMap = (target: Target): ReadonlyArray<Commented<Manifest>> => {
  const open = target.variables.flatMap((variable) => variable.kind === "open" ? [variable] : [])
  const data = valuesOf(target)
  if (open.length === 0 && Object.keys(data).length === 0) return []
  const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: metadataOf(target, configMapName(target)), data }
  const missing = open.map(({ meaning, name }) => `  ${name}: ${meaning}`)
  const advice = [
    "Edit: without these keys, with quoted values, no pod starts; env of chorale.yaml can have them, too."
  ]
  return [
    open.length === 0 ? commented(manifest) : commented(manifest, [["data"], [...advice, ...missing].join("\n")])
  ]
}
