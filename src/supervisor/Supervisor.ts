/**
 * Runs the units of a deployment on this machine, each where its description says: in this process, in threads, or in
 * processes that are watched, started again, and never left behind.
 *
 * Units start after those that they depend on and stop before them. Between a unit and its callers there is always a
 * relay of this process, so that replicas, limits and even all processes of a unit can change under calls that run.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import * as Path from "node:path"
import * as Deployment from "../Deployment.ts"
import type { Differences } from "../deployment/apply.ts"
import type { DeploymentDescription, UnitDescription } from "../deployment/Description.ts"
import * as Layers from "../deployment/layer.ts"
import type * as Model from "../Model.ts"
import * as Socket from "../node/Socket.ts"
import type * as Resources from "../Resources.ts"
import * as Located from "./located.ts"
import * as Program from "./program.ts"
import type { ReplicaNotReady } from "./replicas.ts"
import { scale } from "./scale.ts"
import { temporaryFolder } from "./temporaryFolder.ts"
import * as Unit from "./unit.ts"

export { StartFailed } from "./unit.ts"

/** What is run, and from where. */
export interface Options {
  readonly deployment: Deployment.Any
  readonly description: DeploymentDescription
  /** The module whose default export the deployment is: threads and processes import it too. */
  readonly module: URL
  /** How long a replica may take until it is ready, in milliseconds. */
  readonly startTimeout: number
  /** Whether processes start from a bundle of the program, where one can be made: they do. */
  readonly bundle?: boolean
}

/** A deployment that runs. */
export interface Supervisor {
  /** The services of all its units. */
  readonly services: Context.Context<never>
  readonly units: ReadonlyMap<string, Unit.RunningUnit>
  /** Changes what can be changed while it runs, and says what was and what was not. */
  readonly apply: (description: DeploymentDescription) => Effect.Effect<Differences>
  /** Replaces the replicas of all units in threads and processes, one after another; no call fails because of it. */
  readonly restart: Effect.Effect<void, ReplicaNotReady>
}

/** Starts the units, and waits until all of them are ready; the end of the scope stops them. */
export const start = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<
  Supervisor,
  Unit.StartFailed | Resources.ResourcesExhausted,
  Scope.Scope | Resources.Machine
> {
  const { deployment, description } = options
  const gateways = yield* makeGateways(description)
  let context = yield* Layer.build(Layers.layerGrants(deployment.units, description.units))
  context = Context.merge(context, yield* externals(deployment, description))
  const memoMap = yield* Layer.makeMemoMap
  const hasProcesses = description.units.some(({ placement, url }) => placement === "processes" && url === undefined)
  const program = yield* Program.make(options.module, hasProcesses && options.bundle !== false)
  const units = new Map<string, Unit.RunningUnit>()
  const byName = new Map(description.units.map((unit) => [unit.name, unit]))

  const startUnit = Effect.fnUntraced(function*(described: UnitDescription) {
    const unit = deployment.units[described.name]
    if (unit === undefined) return
    const { addresses } = gateways
    const running = yield* Unit.start(unit, described, { ...options, program, context, memoMap, addresses })
    units.set(described.name, running)
    yield* gateways.open(unit.service, described, running.client)
    if (running.replicas !== undefined) yield* Effect.forkScoped(scale(running, running.replicas))
  })

  for (const names of Deployment.stages(description.units)) {
    const stage = names.flatMap((name) => byName.get(name) ?? [])
    yield* Effect.forEach(stage, startUnit, { concurrency: "unbounded", discard: true })
    for (const name of names) {
      const running = units.get(name)
      if (running !== undefined) context = Context.add(context, running.unit.service, running.client)
    }
  }
  return {
    services: context,
    units,
    apply: makeApply(description, units),
    restart: Effect.andThen(program.renew, Effect.forEach(Array.from(units.values()), restartUnit, { discard: true }))
  }
})

const restartUnit = ({ described: { name }, replicas }: Unit.RunningUnit) =>
  replicas === undefined ? Effect.void : Effect.andThen(
    replicas.restart,
    Effect.logInfo(`${name} has been restarted`)
  )

/** The services that something else serves, where the environment says. */
const externals = Effect.fnUntraced(function*(deployment: Deployment.Any, description: DeploymentDescription) {
  const units = description.units.filter(({ url }) => url === undefined).flatMap(({ name }) =>
    deployment.units[name] ?? []
  )
  const services = new Map(units.flatMap(({ external }) => external).map((service) => [service.key, service]))
  return yield* Layer.build(
    Layer.mergeAll(Layer.empty, ...Array.from(services.values(), Located.fromEnvironment))
  ).pipe(Effect.mapError((error) => new Unit.StartFailed({ unit: deployment.name, detail: String(error) })))
})

/** The sockets on which threads and processes call the services of other units, in a directory of this user alone. */
const makeGateways = Effect.fnUntraced(function*({ units }: DeploymentDescription) {
  const apart = units.filter(({ placement, url }) => url === undefined && placement !== "local")
  const called = new Set(apart.flatMap(({ dependsOn }) => dependsOn))
  const addresses = new Map<string, string>()
  const directory = called.size === 0 ? "" : yield* Effect.orDie(temporaryFolder)
  const open = (service: Model.Any, described: UnitDescription, client: Model.AnyClient) =>
    Effect.suspend(() => {
      if (!called.has(described.name)) return Effect.void
      if (described.url !== undefined) {
        addresses.set(service.key, described.url)
        return Effect.void
      }
      const path = Path.join(directory, `${addresses.size}.sock`)
      addresses.set(service.key, `unix:${path}`)
      return Layer.build(
        Layer.provide(
          Socket.layerServer([service], { path }, { maxFrameSize: "1 GiB" }),
          Layer.succeed(service, client)
        )
      ).pipe(
        Effect.asVoid,
        Effect.mapError((error) => new Unit.StartFailed({ unit: described.name, detail: error.message }))
      )
    })
  return { addresses, open }
})

const makeApply = (first: DeploymentDescription, units: ReadonlyMap<string, Unit.RunningUnit>) => {
  let current = first
  return Effect.fnUntraced(function*(next: DeploymentDescription) {
    const { live, restart, ...rest } = Deployment.differences(current, next)
    // In one process the replicas are those of the model itself, which were made when it was loaded.
    const isLive = ({ key, unit }: Deployment.Difference) =>
      key !== "replicas" || units.get(unit)?.replicas !== undefined
    for (const described of next.units) {
      const running = units.get(described.name)
      const keys = live.filter((difference) => difference.unit === described.name && isLive(difference)).map((
        { key }
      ) => key)
      if (running === undefined || keys.length === 0) continue
      const { scaling: _, ...same } = running.described
      running.described = {
        ...same,
        traffic: described.traffic,
        replicas: keys.includes("replicas") ? described.replicas : same.replicas,
        ...(described.scaling === undefined ? {} : { scaling: described.scaling })
      }
      if (keys.includes("replicas")) yield* running.replicas?.set(described.replicas) ?? Effect.void
      yield* running.limit
    }
    current = { ...next, units: next.units.map((unit) => units.get(unit.name)?.described ?? unit) }
    return {
      ...rest,
      live: live.filter(isLive),
      restart: [...restart, ...live.filter((difference) => !isLive(difference))]
    }
  })
}
