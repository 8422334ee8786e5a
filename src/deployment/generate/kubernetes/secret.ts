/** The Secret of a unit, which is named and never made: nothing that is generated has the value of a secret. */
import type { Target } from "./target.ts"

export const secretName = ({ names, unit }: Target): string => names.derived(unit.name, "secrets")

/** How somebody makes the Secret, where the unit needs one. */
export const secretAdvice = (target: Target): ReadonlyArray<string> => {
  const secrets = target.variables.filter(({ kind }) => kind === "secret").map(({ name }) => name)
  if (secrets.length === 0) return []
  return [
    `Edit: no pod starts without the Secret ${secretName(target)}, whose keys are ${secrets.join(", ")}.`,
    "A file with a line KEY=value for each of them makes it:",
    `  kubectl --namespace ${target.namespace} create secret generic ${secretName(target)} --from-env-file=FILE`
  ]
}
