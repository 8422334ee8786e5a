/** What both kinds of autoscalers have in common. */
import type { Scaling } from "../../Description.ts"
import { seconds } from "../quantity.ts"
import type { Target } from "./target.ts"

/** What an autoscaler scales. */
export const scaleTarget = ({ workload }: Target) => ({ apiVersion: "apps/v1", kind: "Deployment", name: workload })

/** For how long a change must have been called for; an hour is the most that Kubernetes takes. */
export const behavior = ({ scaleDownWindow, scaleUpWindow }: Scaling) => ({
  scaleUp: { stabilizationWindowSeconds: window(scaleUpWindow) },
  scaleDown: { stabilizationWindowSeconds: window(scaleDownWindow) }
})

const window = (millis: number): number => Math.min(3600, seconds(millis))

/** Percent of the cores that a replica asks for, a whole number of them. */
export const percent = (cpu: number): number => Math.max(1, Math.round(cpu))

/** Whether the processor alone says how many replicas there are; what else is counted, Prometheus knows. */
export const isByCpu = ({ target: { concurrency, cpu, queue } }: Scaling): boolean =>
  cpu !== undefined && concurrency === undefined && queue === undefined
