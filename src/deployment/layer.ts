/** The layers of a deployment: its units in this process, their resources planned, their traffic limited. */
import { ConfigProvider, Context, Duration, Effect, Layer } from "effect"
import type * as Model from "../Model.ts"
import * as Resources from "../Resources.ts"
import * as Traffic from "../Traffic.ts"
import type { Units } from "./describe.ts"
import type { DeploymentDescription, UnitDescription } from "./Description.ts"
import type { AnyUnit } from "./unit.ts"

/** A layer whose services are found by key; `Deployment` states their types again. */
// oxlint-disable-next-line no-explicit-any -- as said above
export type AnyLayer = Layer.Layer<never, any, any>

/** The layer of a service that is at an address. */
export type Connect = (service: Model.Any, url: string) => AnyLayer

/** All units in this process, those with a `url` excepted; units that several depend on are built once. */
export const layerAll = (units: Units, description: DeploymentDescription, connect: Connect): AnyLayer => {
  const grants = layerGrants(units, description.units)
  const layers = new Map<string, AnyLayer>()
  for (const described of description.units) {
    const unit = units[described.name]
    if (unit === undefined) continue
    const dependencies = described.dependsOn.flatMap((name) => layers.get(name) ?? [])
    const layer = described.url === undefined
      ? Layer.provide(layerOne(unit, described), Layer.mergeAll(grants, ...dependencies))
      : connect(unit.service, described.url)
    layers.set(described.name, layer)
  }
  return Layer.mergeAll(Layer.empty, ...layers.values())
}

/** One unit, with its dependencies and its `Granted` still open. */
export const layerOne = (unit: AnyUnit, described: UnitDescription): AnyLayer => {
  const granted = Resources.granted(unit.service)
  const built = Layer.provide(unit.layer, [Layer.effect(Resources.Grant, granted), layerEnvironment(described)])
  const { concurrency, queue = 0, timeout } = described.traffic
  if (concurrency === undefined && timeout === undefined) return built
  return Layer.unwrap(Effect.map(granted, ({ replicas }) => {
    const called = Traffic.of(serviceOf(unit), built)
    const limited = concurrency === undefined
      ? called
      : Traffic.limit({ concurrency: concurrency * replicas, queue: queue * replicas })(called)
    return timeout === undefined ? limited : Traffic.deadline(Duration.millis(timeout))(limited)
  }))
}

/** The class of a service of any type. */
const serviceOf = ({ service }: AnyUnit) =>
  // oxlint-disable-next-line no-explicit-any -- every contract is such a class, of methods that are not known here
  service as Model.Any as Model.ServiceClass<any, string, any>

/** What the description sets comes before what the process has. */
const layerEnvironment = ({ environment }: UnitDescription): Layer.Layer<never> => {
  const values = Object.entries(environment).flatMap(([name, value]) => value === undefined ? [] : [[name, value]])
  return values.length === 0
    ? Layer.empty
    : ConfigProvider.layerAdd(ConfigProvider.fromEnvRecord(Object.fromEntries(values)), { asPrimary: true })
}

/** The plan of the units: for each its `Granted`. */
export const layerGrants = (units: Units, described: ReadonlyArray<UnitDescription>): AnyLayer => {
  const here = described.filter(({ url }) => url === undefined)
  const requests = new Map(here.map(({ replicas, resources, service }) => [service, { replicas, ...resources }]))
  return Layer.effectContext(Effect.gen(function*() {
    const machine = yield* Resources.Machine
    const grants = yield* machine.reserve(requests)
    let context = Context.empty()
    for (const { name } of here) {
      const unit = units[name]
      const grant = unit === undefined ? undefined : grants.get(unit.service.key)
      if (unit !== undefined && grant !== undefined) {
        context = Context.add(context, Resources.granted(unit.service), grant)
      }
    }
    return context
  }))
}
