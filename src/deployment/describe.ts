/** The description of a deployment: its units as plain data. */
import { ByteSize, Duration } from "effect"
import type * as Resources from "../Resources.ts"
import type { DeploymentDescription, Scaling, Traffic, UnitDescription } from "./Description.ts"
import { dependenciesFirst } from "./order.ts"
import type { AnyUnit, ScalingOptions, UnitOptions } from "./unit.ts"

/** The units by name. */
export type Units = Readonly<Record<string, AnyUnit>>

/** The deployment as its units say, dependencies first. */
export const describe = (name: string, units: Units): DeploymentDescription => {
  const namesByService = new Map<string, string>()
  for (const [name, { service }] of Object.entries(units)) {
    if (!namesByService.has(service.key)) namesByService.set(service.key, name)
  }
  const described = Object.entries(units).map(([name, unit]) => describeUnit(name, unit, namesByService))
  return { name, units: dependenciesFirst(described) }
}

const describeUnit = (
  name: string,
  { dependsOn, external, options, request, service }: AnyUnit,
  namesByService: ReadonlyMap<string, string>
): UnitDescription => ({
  name,
  service: service.key,
  methods: Array.from(service.methods.keys()),
  placement: options.placement ?? "local",
  replicas: options.replicas ?? leastReplicas(request),
  ...(options.scaling === undefined ? {} : { scaling: toScaling(options.scaling) }),
  resources: resourcesOf(options, request),
  traffic: options.traffic === undefined ? {} : toTraffic(options.traffic),
  // What no unit serves is told apart by its key; the check of the deployment refuses it.
  dependsOn: dependsOn.map(({ key }) => namesByService.get(key) ?? key),
  external: external.map(({ key }) => key),
  environment: options.environment ?? {},
  secrets: options.secrets ?? [],
  expose: options.expose ?? false,
  ...(options.instanceType === undefined ? {} : { instanceType: options.instanceType }),
  ...(options.image === undefined ? {} : { image: options.image })
})

/** What a request asks for, its range of replicas only where nothing says how many there are. */
const resourcesOf = (
  { replicas, resources }: UnitOptions<unknown, unknown, unknown>,
  request: Resources.Request
): Resources.Request => {
  const { replicas: asked, ...amounts } = { ...request, ...resources, replicas: request.replicas }
  return typeof asked === "object" && replicas === undefined ? { ...amounts, replicas: asked } : amounts
}

const leastReplicas = ({ replicas = 1 }: Resources.Request): number =>
  typeof replicas === "number" ? replicas : replicas.min

/** The windows that the horizontal autoscaler of Kubernetes has unless it is told otherwise, in milliseconds. */
export const defaultWindows = { scaleUpWindow: 0, scaleDownWindow: 300_000 } as const

const toScaling = ({ maxReplicas, minReplicas, scaleDownWindow, scaleUpWindow, target }: ScalingOptions): Scaling => ({
  minReplicas: minReplicas ?? 1,
  maxReplicas,
  target,
  scaleUpWindow: scaleUpWindow === undefined ? defaultWindows.scaleUpWindow : millis(scaleUpWindow),
  scaleDownWindow: scaleDownWindow === undefined ? defaultWindows.scaleDownWindow : millis(scaleDownWindow)
})

const toTraffic = ({ timeout, ...limits }: NonNullable<UnitOptions<unknown, unknown, unknown>["traffic"]>): Traffic =>
  timeout === undefined ? limits : { ...limits, timeout: millis(timeout) }

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

/** The bytes of what is asked for; none is 0. */
export const bytesOf = ({ memory }: Resources.Request): number =>
  memory === undefined ? 0 : ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(memory))
