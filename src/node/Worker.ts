/**
 * Services in worker threads and in processes of their own.
 *
 * A module that calls `run` serves services to whoever starts it. `layerThread` and `layerProcess` start such a module
 * and satisfy a service with it: in a thread, a model does not hold up the event loop; in a process, it can also be
 * killed, and what kills it does not kill the program.
 *
 * @since 0.2.0
 */
import { ByteSize, Context, Duration, Effect, Layer, type Scope } from "effect"
import { type Rpc, RpcClient, type RpcServer } from "effect/rpc"
import { ReplicaEnd } from "../internal/replicaEnd.ts"
import type * as Model from "../Model.ts"
import * as Remote from "../Remote.ts"
import * as Replicas from "../Replicas.ts"
import * as Resources from "../Resources.ts"
import * as Serve from "../Serve.ts"
import * as Entry from "./worker/entry.ts"
import * as Process from "./worker/process.ts"
import type * as Replica from "./worker/replica.ts"
import * as Thread from "./worker/thread.ts"
import type { WorkerError } from "./worker/WorkerError.ts"

export { WorkerError } from "./worker/WorkerError.ts"

/**
 * How a thread with services is started.
 *
 * @category models
 * @since 0.2.0
 */
export interface ThreadOptions {
  /** The module that calls `run`. */
  readonly entry: URL
  /** What the log and errors call it: the key of the service. */
  readonly name?: string
  /** Variables of its environment, besides those of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** How long it may take until it is ready: 60 seconds. */
  readonly startTimeout?: Duration.Input
  /** How long it may take to end when the layer is released, before it is ended by force: 10 seconds. */
  readonly gracePeriod?: Duration.Input
  /** How it is started again when it has ended by itself, as `Replicas.Options` says. */
  readonly respawn?: Replicas.Options<never>["respawn"]
}

/**
 * How a process with services is started.
 *
 * @category models
 * @since 0.2.0
 */
export interface ProcessOptions extends ThreadOptions {
  /** Arguments for Node, after those of this process. */
  readonly execArgv?: ReadonlyArray<string>
  /** How long after its deadline a call may go on before the process is killed: 5 seconds. */
  readonly killAfter?: Duration.Input
  /** The largest message, in either direction: 1 GiB. */
  readonly maxFrameSize?: ByteSize.Input
}

/** The grants of the services, which `run` supplies. */
type GrantsOf<Service extends Model.Any> = Service extends Model.Any ? Resources.Granted<Model.Identifier<Service>>
  : never

/**
 * Serves services to the program that started this module as a thread or a process, until it says that it is enough.
 *
 * The layer is built at once, with what `Resources.require` granted to the layer that started the module. Where it
 * fails, so does that layer. Throws in a module that was started otherwise.
 *
 * **Example** (The module of a worker)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Worker } from "chorale/node"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * Worker.run([Reader], Reader.toLayer({ read: () => Effect.succeed("text") }))
 * ```
 *
 * @category running
 * @since 0.2.0
 */
export const run = <const Services extends ReadonlyArray<Model.Any>, E>(
  services: Services,
  layer: Layer.Layer<Model.Identifier<Services[number]>, E, GrantsOf<Services[number]>>
): void => {
  const served = Layer.provide(Serve.layerProtocol(services), layer)
  Entry.run(services, (granted) =>
    // The grants are in the context that is provided, by the keys of the services, which the compiler cannot count.
    Layer.provide(served, granted) as Layer.Layer<never, E, RpcServer.Protocol>)
}

/**
 * Satisfies a service with one in a thread of this process, which runs the module `entry`.
 *
 * The layer is built when the thread is ready, and fails with `WorkerError` when it ends before or takes too long. A
 * thread that ends later makes the calls on it `Unavailable` and is started again, as `Replicas` does it; calls wait for
 * it up to 2 seconds.
 *
 * When the layer is released, the calls that still run are interrupted and the thread ends. One that does not within
 * `gracePeriod` is stopped, or left alone where an ONNX model of it runs, because stopping that ends the process.
 *
 * **Gotchas**
 *
 * Tensors and bytes in a `SharedArrayBuffer` are passed as they are, in both directions: 4 MB cost what 100 bytes do. As
 * within one thread, the other side sees what is written to them later. All others are copied once; the copy belongs to
 * who receives it, and may be kept and changed.
 *
 * **Example** (A model that does not hold up the event loop)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Worker } from "chorale/node"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderInThread = Worker.layerThread(Reader, { entry: new URL("./reader.worker.ts", import.meta.url) })
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerThread = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: ThreadOptions
): Model.ServiceLayer<Self, WorkerError, never> =>
  layerWith(service, options, (share) => Thread.startThread(withDefaults(service, options, share)))

/**
 * Satisfies a service with one in a process of its own, which runs the module `entry` with the Node and the arguments of
 * this process.
 *
 * The layer is built when the process is ready, and fails with `WorkerError` when it ends before or takes too long. A
 * process that ends later makes the calls on it `Unavailable` and is started again, as `Replicas` does it; calls wait
 * for it up to 2 seconds. A call that goes on for `killAfter` after its deadline gets the process killed: this is how a
 * model that hangs is ended.
 *
 * With `Resources.require` the process sees only its own GPUs (`CUDA_VISIBLE_DEVICES`), and `OMP_NUM_THREADS` and
 * `UV_THREADPOOL_SIZE` follow from its cores. What it writes to its standard output and error goes to the log, line by
 * line, with its name as `replica`.
 *
 * When the layer is released, the calls that still run are interrupted and the process ends, or is killed after
 * `gracePeriod`. It also ends when this process does, even when that is killed, and leaves no files. It does not react to
 * `SIGINT` and `SIGTERM`, which a terminal or a service manager may send to it and its parent alike.
 *
 * **Example** (A model that can be killed)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Worker } from "chorale/node"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderInProcess = Worker.layerProcess(Reader, {
 *   entry: new URL("./reader.worker.ts", import.meta.url),
 *   killAfter: "2 seconds"
 * })
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerProcess = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: ProcessOptions
): Model.ServiceLayer<Self, WorkerError, never> =>
  layerWith(service, options, (share) =>
    Process.startProcess({
      ...withDefaults(service, options, share),
      execArgv: options.execArgv ?? [],
      killAfter: Duration.fromInputUnsafe(options.killAfter ?? "5 seconds"),
      maxFrameSize: bytes(options.maxFrameSize)
    }))

const bytes = (size: ByteSize.Input = ByteSize.gibibytes(1)): number =>
  ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(size))

const layerWith = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  { respawn }: ThreadOptions,
  start: (share: Replica.Share | undefined) => Effect.Effect<Replica.Replica, WorkerError, Scope.Scope>
): Model.ServiceLayer<Self, WorkerError, never> => {
  const protocol = Effect.gen(function*() {
    const replica = yield* start(shareOf(yield* Effect.context<never>()))
    yield* Effect.forkScoped(Effect.flatMap(replica.lost, (error) => Effect.logError(error.message)))
    return replica.protocol
  })
  const one = Layer.provide(Remote.layerProtocol(service), Layer.effect(RpcClient.Protocol, protocol))
  const watched = Replicas.layer(service, {
    replicas: 1,
    replica: () => one,
    ...respawn === undefined ? {} : { respawn }
  })
  // Where it is one of several replicas, those who count them start it again.
  const layer: Layer.Layer<Self, WorkerError> = Layer.unwrap(
    Effect.map(ReplicaEnd, (end) => end.service === service.key ? one : watched)
  )
  return Object.assign(layer, { service })
}

/** What was granted to one replica; without a grant, it is not held to any. */
const shareOf = (context: Context.Context<never>): Replica.Share | undefined => {
  const grant = Context.getOrUndefined(context, Resources.Grant)
  return grant === undefined ? undefined : { threads: grant.threads, gpus: grant.gpus[0] ?? [] }
}

const withDefaults = (
  service: Model.Any,
  options: ThreadOptions,
  share: Replica.Share | undefined
): Replica.Options => ({
  entry: options.entry,
  name: options.name ?? service.key,
  services: [service.key],
  share,
  env: options.env ?? {},
  startTimeout: Duration.toMillis(options.startTimeout ?? "60 seconds"),
  gracePeriod: Duration.toMillis(options.gracePeriod ?? "10 seconds")
})
