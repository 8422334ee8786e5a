/**
 * Declares what a service needs and holds it against what the machine has.
 *
 * `require` puts a request on the layer of a service. `layer` adds up the
 * requests of all the layers of an application and grants each its share, or
 * fails before any of them loads a model. A layer whose request was not planned
 * does not compile: its type still needs `Granted` of its service.
 *
 * **Example** (Two models that share a machine)
 *
 * ```ts
 * import { Model, Resources } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Detector extends Model.Service<Detector>()("Detector", [Rpc.make("detect", { success: Schema.Int })]) {}
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const DetectorLive = Detector.toLayer({ detect: () => Effect.succeed(2) }).pipe(
 *   Resources.require({ cpu: 1, memory: "512 MiB" })
 * )
 * const ReaderLive = Reader.toLayer({ read: () => Effect.succeed("text") }).pipe(
 *   Resources.require({ cpu: 1, memory: "256 MiB", replicas: { min: 1, max: 4 } })
 * )
 *
 * export const Models = Layer.mergeAll(DetectorLive, ReaderLive).pipe(
 *   Layer.provide(Resources.layer([DetectorLive, ReaderLive])),
 *   Layer.provide(Resources.layerMachine({ cpu: 4, memory: "8 GiB", gpus: [] }))
 * )
 * ```
 *
 * @since 0.1.0
 */
import { ByteSize, Context, Effect, Layer, Schema, type Scope } from "effect"
import * as Plan from "./internal/plan.ts"
import type * as Model from "./Model.ts"

/**
 * What one replica of a service needs, and how many replicas there are.
 *
 * `cpu` is in cores and may be a fraction: a replica runs `floor(cpu)` threads, at least one. `gpu` is a whole number
 * of devices whose name contains `gpuType`. What is left out is zero; `replicas` is one. A range of `replicas` is
 * granted as many as fit after every service has its least.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly cpu?: number
  readonly memory?: ByteSize.Input
  readonly gpu?: number
  readonly gpuType?: string
  readonly replicas?: number | { readonly min: number; readonly max: number }
}

/**
 * One GPU of a machine: the index by which CUDA knows it, its name, and its memory in bytes.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Gpu = Schema.Struct({ index: Schema.Int, name: Schema.String, memory: Schema.Finite })

/**
 * What a machine has: cores, memory in bytes, and GPUs.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Inventory = Schema.Struct({ cpu: Schema.Finite, memory: Schema.Finite, gpus: Schema.Array(Gpu) })

/**
 * What a machine has: cores, memory in bytes, and GPUs.
 *
 * @category models
 * @since 0.1.0
 */
export type Inventory = typeof Inventory.Type

/**
 * The least that one service asks of the machine: `replicas` times `cpu`, `memory` (bytes) and `gpu`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Demand = Schema.Struct({
  service: Schema.String,
  replicas: Schema.Int,
  cpu: Schema.Finite,
  memory: Schema.Finite,
  gpu: Schema.Int,
  gpuType: Schema.optionalKey(Schema.String)
})

/**
 * The least that one service asks of the machine.
 *
 * @category models
 * @since 0.1.0
 */
export type Demand = typeof Demand.Type

/**
 * The services of an application ask for more than the machine has.
 *
 * It holds what every service asks for and what the machine has, so that the reader can decide what to lower or move.
 *
 * @category errors
 * @since 0.1.0
 */
export class ResourcesExhausted extends Schema.TaggedError<ResourcesExhausted>()("ResourcesExhausted", {
  demands: Schema.Array(Demand),
  inventory: Inventory,
  /** What is short: `cpu`, `memory`, `gpu`, or `gpu <type>`. */
  short: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return [
      `The services ask for more ${this.short.join(" and ")} than this machine has.`,
      ...Plan.table(this.demands, this.inventory),
      "Lower what Resources.require asks for, or move a service to another machine with Remote.layerHttp."
    ].join("\n")
  }
}

/**
 * The share of the machine that the layer being built may use.
 *
 * `threads` is per replica; `gpus` holds the GPU indexes of each replica. Outside `require` it is one replica of one
 * thread without GPU.
 *
 * @category services
 * @since 0.1.0
 */
export interface Grant {
  readonly replicas: number
  readonly threads: number
  readonly gpus: ReadonlyArray<ReadonlyArray<number>>
}

/**
 * The share of the machine that the layer being built may use.
 *
 * @category services
 * @since 0.1.0
 */
export const Grant = Context.Reference<Grant>("chorale/Resources/Grant", {
  defaultValue: () => ({ replicas: 1, threads: 1, gpus: [] })
})

/**
 * That the request of a service was planned. `layer` provides it for each of the layers it is given.
 *
 * @category services
 * @since 0.1.0
 */
export interface Granted<in out Self> {
  readonly granted: (service: Self) => Self
}

/**
 * The key under which the grant of a service is found, for a report of what runs with how much.
 *
 * @category services
 * @since 0.1.0
 */
export const granted = <Self>(service: Context.Key<Self, unknown>): Context.Service<Granted<Self>, Grant> =>
  Context.Service<Granted<Self>, Grant>(`chorale/Resources/Granted/${service.key}`)

/**
 * The layer of a service that may be built only with its share of the machine.
 *
 * @category models
 * @since 0.1.0
 */
export interface Requiring<in out Self, out E, out R> extends Model.ServiceLayer<Self, E, R | Granted<Self>> {
  readonly request: Request
}

/**
 * Declares what a service needs.
 *
 * Apply it to what `toLayer` returns. Throws a `RangeError` for a request that makes no sense, such as a negative size. The grant reaches what the layer builds through `Grant`: an ONNX session takes
 * its number of replicas and threads from it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const require =
  (request: Request) => <Self, E, R>(self: Model.ServiceLayer<Self, E, R>): Requiring<Self, E, R> => {
    toAsk(self.service.key, request)
    const layer = Layer.provide(self, Layer.effect(Grant, granted(self.service)))
    // What else is known of the layer, such as the policies in front of it, stays known.
    const kept = Object.fromEntries(Object.entries(self).filter(([name]) => !(name in layer)))
    return Object.assign(layer, kept, { service: self.service, request })
  }

/**
 * A machine whose share other plans have not taken yet.
 *
 * @category services
 * @since 0.1.0
 */
export class Machine extends Context.Service<Machine, {
  readonly inventory: Inventory
  readonly reserve: (
    requests: ReadonlyMap<string, Request>
  ) => Effect.Effect<ReadonlyMap<string, Grant>, ResourcesExhausted, Scope.Scope>
}>()("chorale/Resources/Machine") {}

/**
 * A machine of a given size; `Machine.layer` of `chorale/node` describes the one it runs on.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMachine = (inventory: {
  readonly cpu: number
  readonly memory: ByteSize.Input
  readonly gpus: Inventory["gpus"]
}): Layer.Layer<Machine> =>
  Layer.sync(Machine, () => {
    const size: Inventory = { ...inventory, memory: bytes(inventory.memory) }
    const reserved = new Set<ReadonlyArray<Plan.Share>>()
    const reserve = (requests: ReadonlyMap<string, Request>) =>
      Effect.suspend(() => {
        const held = Array.from(reserved).flat()
        const planned = Plan.make(Array.from(requests, ([service, request]) => toAsk(service, request)), held, size)
        if (planned._tag === "Short") {
          return Effect.fail(
            new ResourcesExhausted({ demands: planned.demands, inventory: size, short: planned.short })
          )
        }
        reserved.add(planned.shares)
        return Effect.succeed(planned.shares)
      })
    return {
      inventory: size,
      reserve: (requests) =>
        Effect.acquireRelease(reserve(requests), (shares) => Effect.sync(() => reserved.delete(shares))).pipe(
          Effect.map((shares) => new Map(shares.map((share) => [share.service, toGrant(share)])))
        )
    }
  })

/**
 * Plans the requests of all the layers of an application against the machine.
 *
 * Fails with `ResourcesExhausted` before any of the layers is built. What was granted is given back when the scope of
 * the layer closes.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const Selves extends ReadonlyArray<unknown>>(
  layers: readonly [...{ [K in keyof Selves]: Requiring<Selves[K], unknown, unknown> }]
): Layer.Layer<{ [K in keyof Selves]: Granted<Selves[K]> }[number], ResourcesExhausted, Machine> =>
  Layer.effectContext(Effect.gen(function*() {
    const machine = yield* Machine
    const grants = yield* machine.reserve(new Map(layers.map((layer) => [layer.service.key, layer.request])))
    let context: Context.Context<never> = Context.empty()
    for (const { service } of layers) context = Context.add(context, granted(service), grants.get(service.key)!)
    // One key per layer was added above; the compiler cannot count a loop.
    return context as Context.Context<{ [K in keyof Selves]: Granted<Selves[K]> }[number]>
  }))

const bytes = (input: ByteSize.Input): number => ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(input))

const toAsk = (service: string, request: Request): Plan.Ask => {
  const replicas = request.replicas ?? 1
  const { max, min } = typeof replicas === "number" ? { min: replicas, max: replicas } : replicas
  const { cpu = 0, gpu = 0, gpuType } = request
  if (!(cpu >= 0 && Number.isInteger(gpu) && gpu >= 0)) {
    throw new RangeError(`${service}: cpu must be a number >= 0 and gpu a whole number >= 0, not ${cpu} and ${gpu}`)
  }
  if (!(Number.isInteger(min) && Number.isInteger(max) && 1 <= min && min <= max)) {
    throw new RangeError(`${service}: replicas must be whole numbers with 1 <= min <= max, not ${min} and ${max}`)
  }
  return {
    service,
    cpu,
    memory: request.memory === undefined ? 0 : bytes(request.memory),
    gpu,
    gpuType,
    least: min,
    most: max
  }
}

const toGrant = (share: Plan.Share): Grant => ({
  replicas: share.replicas,
  threads: Math.max(1, Math.floor(share.cpu)),
  gpus: share.gpus
})
