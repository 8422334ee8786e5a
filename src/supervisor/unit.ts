/** One unit as it runs under a supervisor: in this process, or in threads and processes of its own. */
import { Cause, Context, type Duration, Effect, Layer, Schema, type Scope } from "effect"
import type { UnitDescription } from "../deployment/Description.ts"
import * as Layers from "../deployment/layer.ts"
import type { AnyUnit } from "../deployment/unit.ts"
import { ReplicaText } from "../internal/replicaText.ts"
import type * as Model from "../Model.ts"
import * as Worker from "../node/Worker.ts"
import * as Readiness from "../Readiness.ts"
import * as Resources from "../Resources.ts"
import * as Assignment from "./assignment.ts"
import { limited } from "./limited.ts"
import * as Located from "./located.ts"
import * as Program from "./program.ts"
import * as Relay from "./relay.ts"
import * as Replicas from "./replicas.ts"
import * as Usage from "./usage.ts"

/** A unit that did not start; `detail` has the last lines that it wrote. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  unit: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `the unit ${this.unit} did not start: ${this.detail}`
  }
}

export interface RunningUnit {
  readonly unit: AnyUnit
  readonly client: Model.AnyClient
  readonly inFlight: () => number
  /** None where it runs in this process or elsewhere. */
  readonly replicas: Replicas.Replicas | undefined
  /** The share of the processor that its replicas have. */
  readonly usage: Usage.Usage
  /** What it was last told to be. */
  described: UnitDescription
  /** Puts the limits of its description around it. */
  readonly limit: Effect.Effect<void>
}

/** What a unit is started with. */
export interface Surroundings {
  /** The module of the deployment. */
  readonly module: URL
  readonly startTimeout: Duration.Input
  /** The services that are there already, and what was granted to each. */
  readonly context: Context.Context<never>
  readonly program: Program.Program
  /** What units in this process share is built once. */
  readonly memoMap: Layer.MemoMap
  /** Where threads and processes find a service that is there already. */
  readonly addresses: ReadonlyMap<string, string>
}

/** Starts a unit and waits until it is ready. */
export const start = Effect.fnUntraced(function*(unit: AnyUnit, described: UnitDescription, around: Surroundings) {
  const relay = Relay.make(unit.service)
  const usage = Usage.make()
  const built = yield* build(unit, described, { ...around, usage }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.fail(new StartFailed({ unit: described.name, detail: detailOf(cause) }))
    ),
    Effect.annotateLogs({ unit: described.name })
  )
  const running: RunningUnit = {
    unit,
    client: relay.client,
    inFlight: relay.inFlight,
    replicas: built.replicas,
    usage,
    described,
    limit: Effect.suspend(() =>
      limited(unit.service, built.client, running.described.traffic, running.described.replicas)
    )
      .pipe(Effect.map(relay.turnTo))
  }
  yield* running.limit
  if (built.replicas !== undefined) yield* reportReadiness(running, built.replicas)
  return running
})

interface Built {
  readonly client: Model.AnyClient
  readonly replicas: Replicas.Replicas | undefined
}

interface Inner extends Surroundings {
  readonly usage: Usage.Usage
}

const build = (
  unit: AnyUnit,
  described: UnitDescription,
  around: Inner
): Effect.Effect<Built, unknown, Scope.Scope> =>
  described.url !== undefined
    ? inProcess(unit, Located.at(unit.service, described.url), around)
    : described.placement === "local"
    ? inProcess(unit, Layers.layerOne(unit, { ...described, traffic: {} }), around)
    : inReplicas(unit, described, around)

const inProcess = Effect.fnUntraced(function*(unit: AnyUnit, layer: Layers.AnyLayer, around: Surroundings) {
  const context = yield* Layer.buildWithMemoMap(
    Layer.provide(layer, Layer.succeedContext(around.context)),
    around.memoMap,
    yield* Effect.scope
  )
  return { client: clientOf(context, unit.service), replicas: undefined }
})

const inReplicas = Effect.fnUntraced(function*(unit: AnyUnit, described: UnitDescription, around: Inner) {
  const grant = Context.getUnsafe(around.context, Resources.granted(unit.service))
  const replicas = yield* Replicas.make(
    unit.service,
    described.replicas,
    (name, index) =>
      layerOf(unit, described, {
        name: `${described.name}/${name}`,
        env: environmentOf(unit, described, around),
        startTimeout: around.startTimeout
      }, around.program).pipe(
        Layer.provide([Layer.succeed(Resources.Grant, shareOf(grant, index)), around.usage.layer(name)])
      )
  )
  return { client: replicas.client, replicas }
})

/** What one replica has of what all of them were granted; the replicas that come later share with the first ones. */
const shareOf = ({ gpus, threads }: Resources.Grant, index: number): Resources.Grant => {
  const own = gpus[index % Math.max(1, gpus.length)]
  return { replicas: 1, threads, gpus: own === undefined ? [] : [own] }
}

const layerOf = (
  unit: AnyUnit,
  { placement }: UnitDescription,
  { env, ...options }: Omit<Worker.ThreadOptions, "entry"> & Pick<Program.Start, "env">,
  program: Program.Program
): Layers.AnyLayer => {
  const service = Located.classOf(unit.service)
  const started = (start: Program.Start) => ({ ...options, ...start, env: { ...start.env, ...env } })
  if (placement === "threads") return Worker.layerThread(service, started(Program.unbundled()))
  return Layer.unwrap(
    Effect.map(
      program.start(env),
      (start) =>
        Layer.provide(Worker.layerProcess(service, started(start)), Layer.succeed(ReplicaText, start.toSources))
    )
  )
}

const environmentOf = (unit: AnyUnit, described: UnitDescription, { addresses, module }: Surroundings) => {
  const environment = Object.entries(described.environment).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const]
  )
  const located = unit.dependsOn.flatMap((service) => {
    const address = addresses.get(service.key)
    return address === undefined ? [] : [[Located.variable(service), address] as const]
  })
  return {
    ...Object.fromEntries([...environment, ...located]),
    ...Assignment.toEnvironment({ module: module.href, unit: described.name })
  }
}

const clientOf = (context: Context.Context<never>, service: Model.Any): Model.AnyClient =>
  // The layer satisfies the key of the service, which its erased type does not say.
  Context.getUnsafe(context, service) as Model.AnyClient

const reportReadiness = ({ described: { name } }: RunningUnit, { status }: Replicas.Replicas) =>
  Readiness.report(
    name,
    Effect.map(status, (all) => {
      const states = all.map(({ state }) => state)
      return states.includes("ready") ? undefined : `none of its replicas is ready: ${states.join(", ")}`
    })
  )

/** An error of a layer says what is wrong; where a bug is, its stack does. */
const detailOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (error instanceof Worker.WorkerError) return detailOfReplica(error)
  return Cause.hasFails(cause) && error instanceof Error ? error.message : Cause.pretty(cause)
}

/** Which module a replica is started from is no matter of who runs a deployment. */
const detailOfReplica = ({ detail, reason, stderr }: Worker.WorkerError): string =>
  [reason === "StartTimedOut" ? `a replica was not ready in time: ${detail}` : detail, ...stderr].join("\n  ")
