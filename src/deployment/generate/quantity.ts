/** Amounts of resources as Kubernetes and docker compose write them; what does not come out even is rounded up. */
import type * as Resources from "../../Resources.ts"
import { bytesOf } from "../describe.ts"

/** Cores: `2`, or thousandths of a core, `500m`. None is `undefined`. */
export const cpuQuantity = ({ cpu = 0 }: Resources.Request): string | undefined => {
  // A thousandth is what Kubernetes can tell apart; 0.1 * 3 is not to be 301 of them.
  const thousandths = Math.ceil(Number((cpu * 1000).toFixed(6)))
  if (thousandths <= 0) return undefined
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`
}

/** Bytes of memory in the largest unit that comes out even: `512Mi`. None is `undefined`. */
export const memoryQuantity = (request: Resources.Request): string | undefined =>
  inUnits(request, ["Gi", "Mi", "Ki", ""])

/** The same for docker compose, whose units count by 1024, too: `512M`. */
export const memoryOfCompose = (request: Resources.Request): string | undefined =>
  inUnits(request, ["G", "M", "K", "B"])

const inUnits = (request: Resources.Request, units: ReadonlyArray<string>): string | undefined => {
  const bytes = Math.ceil(bytesOf(request))
  if (bytes <= 0) return undefined
  const power = [3, 2, 1].find((power) => bytes % 1024 ** power === 0) ?? 0
  return `${bytes / 1024 ** power}${units[3 - power] ?? ""}`
}

/** Milliseconds as whole seconds, rounded up. */
export const seconds = (millis: number): number => Math.ceil(millis / 1000)
