/**
 * One service, several replicas of it: each call goes to one of them.
 *
 * A replica is a layer that satisfies the service by itself: a worker thread, a process, a server at an address, the
 * model in this process. What is around it is here and the same for all of them: choice, health, limits, restarts.
 *
 * @since 0.2.0
 */
import { Cause, Context, Deferred, Duration, Effect, Exit, Layer, Schedule, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import { type Address, type Discovery, fromAddresses } from "./Discovery.ts"
import * as ReplicaSet from "./internal/replicaSet.ts"
import type * as Model from "./Model.ts"
import * as Readiness from "./Readiness.ts"
import * as Resources from "./Resources.ts"

export type { Status } from "./internal/replicaSet.ts"

/**
 * What holds for replicas of any kind. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options<in out Client> {
  /**
   * The most calls that a replica works on at a time: no limit. A call whose caller has gone counts until the replica
   * has stopped working on it. When all replicas are at the limit, a call waits for its turn.
   */
  readonly maxInFlight?: number
  /** The most calls that wait, for a replica that is free or for one that is ready: 1024. One more is `Overloaded`. */
  readonly maxQueue?: number
  /** How long a call waits while no replica is ready, before it is `Unavailable`: 2 seconds. */
  readonly connectTimeout?: Duration.Input
  /** How long a replica that is not wanted any more may finish its calls: 30 seconds. */
  readonly drainTimeout?: Duration.Input
  /**
   * A replica that was `Unavailable` so often in a row (`after`: 3) gets no calls for a time: `from` 1 second, twice
   * as long each time it fails again, up to `to`, 30 seconds. The last replica that is not ejected stays.
   */
  readonly eject?: { readonly after?: number; readonly from?: Duration.Input; readonly to?: Duration.Input }
  /**
   * How an ejected replica is asked whether it answers again: after its time, and then every `interval` (1 second)
   * until `call` succeeds within that time. Without it, the next call of a user is tried on the replica.
   */
  readonly probe?: {
    readonly call: (client: Client) => Effect.Effect<unknown, unknown>
    readonly interval?: Duration.Input
  }
  /** How a replica that ended, or could not be built, is built again. */
  readonly respawn?: {
    /**
     * How long to wait before each attempt: 100 milliseconds, doubling up to 10 seconds, each 20 percent more or less
     * by chance. It begins anew after a replica that was up for the time of `crashLoop`; a replica fails where it
     * ends.
     */
    readonly backoff?: Schedule.Schedule<unknown>
    /** A replica fails when it ended so many `times` (5) `within` a time (1 minute). */
    readonly crashLoop?: { readonly times: number; readonly within: Duration.Input }
  }
}

/**
 * The replicas of a service, to look at.
 *
 * `changes` gives the status now and after each change of a state; a slow reader misses some.
 *
 * @category models
 * @since 0.2.0
 */
export interface View {
  readonly status: Effect.Effect<ReadonlyArray<ReplicaSet.Status>>
  readonly changes: Stream.Stream<ReadonlyArray<ReplicaSet.Status>>
}

/**
 * The replicas of a service, to look at and to change.
 *
 * `set` says how many there shall be, at least one, and does not wait until they are: a new one takes calls when it is
 * ready, one too many takes no further call and goes when it has finished its own. No call fails because of it. One
 * that has failed is started again. Where `set` is called twice, the later call counts.
 *
 * @category models
 * @since 0.2.0
 */
export interface Controller extends View {
  readonly set: (replicas: number) => Effect.Effect<void>
}

/**
 * That the replicas of a service can be looked at.
 *
 * @category services
 * @since 0.2.0
 */
export interface Viewed<in out Self> {
  readonly viewed: (service: Self) => Self
}

/**
 * That the number of replicas of a service can be changed.
 *
 * @category services
 * @since 0.2.0
 */
export interface Controlled<in out Self> {
  readonly controlled: (service: Self) => Self
}

/**
 * The key of the controller of the replicas that `layer` started for a service.
 *
 * @category services
 * @since 0.2.0
 */
export const of = <Self>(service: Context.Key<Self, unknown>): Context.Service<Controlled<Self>, Controller> =>
  Context.Service<Controlled<Self>, Controller>(`chorale/Replicas/Controller/${service.key}`)

/**
 * The key under which the replicas of a service are found, wherever they are.
 *
 * @category services
 * @since 0.2.0
 */
export const view = <Self>(service: Context.Key<Self, unknown>): Context.Service<Viewed<Self>, View> =>
  Context.Service<Viewed<Self>, View>(`chorale/Replicas/View/${service.key}`)

/**
 * Starts replicas of a service in this process, its threads or its child processes, and spreads calls over them.
 *
 * Of two replicas drawn at random, a call goes to the one with fewer calls in flight. All replicas are started at the
 * same time; the layer is ready when all of them are, and fails with the error of one that cannot be started, after
 * the others have been released. A replica that ends later makes its own calls `Unavailable`, no others, and is built
 * again. While none is ready a call waits for a moment; where all have failed, it is `Unavailable` at once and says
 * why.
 *
 * A call is not retried here: `Unavailable` and `Overloaded` reach the caller. A replica that was `Overloaded` is left
 * alone for the time that it asked for as long as others are free.
 *
 * Without `replicas` there are as many as `Resources.require` was granted, or one. Where there is a grant, each is built
 * with a `Resources.Grant` of one replica: the threads of each, and the GPUs of its index. What the layer of a replica
 * provides for itself is built for each; what it needs from outside is shared. The span of a call says which replica
 * took it, `chorale.replica`, and for how long it waited, `chorale.queue_ms`.
 *
 * **Example** (Two replicas, and two more later)
 *
 * ```ts
 * import { Model, Replicas } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const ReaderLive = Replicas.layer(Reader, {
 *   replica: (index) => Reader.toLayer({ read: () => Effect.succeed(`read by replica ${index}`) }),
 *   replicas: 2,
 *   maxInFlight: 4
 * })
 *
 * export const program = Effect.gen(function*() {
 *   const replicas = yield* Replicas.of(Reader)
 *   yield* replicas.set(4)
 *   return yield* Reader.use((reader) => reader.read())
 * }).pipe(Effect.provide(ReaderLive))
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: Options<Model.Client<Rpcs>> & {
    readonly replica: (index: number) => Layer.Layer<Self, E, R>
    readonly replicas?: number
  }
): ReplicasLayer<Self, E, R> => {
  if (options.replicas !== undefined) requireReplicas(options.replicas)
  const settings = toSettings(options)
  const build = Effect.gen(function*() {
    const grant = Context.getOrUndefined(yield* Effect.context<never>(), Resources.Grant)
    const set = yield* ReplicaSet.make<E, R>(service, settings)
    yield* reportReadiness(service, set)
    const layerOf = (index: number) =>
      grant === undefined
        ? options.replica(index)
        : Layer.provide(options.replica(index), Layer.succeed(Resources.Grant, shareOf(grant, index)))
    const count = options.replicas ?? grant?.replicas ?? 1
    yield* set.start(
      new Map(Array.from({ length: count }, (_, index) => [String(index), layerOf(index)]))
    )
    const resize = (replicas: number) =>
      Effect.sync(() => {
        requireReplicas(replicas)
        set.resize(replicas, layerOf)
      })
    return Context.add(contextOf(service, set), of(service), { set: resize, status: set.status, changes: set.changes })
  })
  return Object.assign(Layer.effectContext(build), { service })
}

/**
 * Spreads the calls of a service over the replicas at addresses, which may change.
 *
 * An address that joins is connected to; one that leaves takes no further call and is released when it has finished
 * its own. The layer waits for the first addresses and fails where they cannot be found; when they cannot be found
 * later, the last ones stay. All else is as `layer` has it.
 *
 * **Example** (The replicas behind a name)
 *
 * ```ts
 * import { Model, Replicas } from "chorale"
 * import { Dns, Location } from "chorale/node"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderRemote = Replicas.layerAddresses(Reader, {
 *   addresses: Dns.discover({ scheme: "tcp", host: "reader.internal", port: 4000 }),
 *   connect: (address) => Location.layerAddress(Reader, address)
 * })
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerAddresses = <Self, Name extends string, Rpcs extends Rpc.Any, E, R, E2 = never>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: Options<Model.Client<Rpcs>> & {
    readonly addresses: ReadonlyArray<Address> | Discovery<E2>
    readonly connect: (address: Address) => Layer.Layer<Self, E, R>
  }
): Layer.Layer<Self | Viewed<Self>, E | E2, R> => {
  const { addresses, refresh } = isList(options.addresses) ? fromAddresses(options.addresses) : options.addresses
  const settings = { ...toSettings(options), onUnavailable: refresh }
  const layersOf = (addresses: ReadonlyArray<Address>) =>
    new Map(addresses.map((address) => [address, options.connect(address)]))
  return Layer.effectContext(Effect.gen(function*() {
    const set = yield* ReplicaSet.make<E, R>(service, settings)
    yield* reportReadiness(service, set)
    const ready = Deferred.makeUnsafe<void, E | E2>()
    const follow = (next: ReadonlyArray<Address>) =>
      Deferred.isDoneUnsafe(ready)
        ? Effect.sync(() => set.change(layersOf(next)))
        : Effect.andThen(set.start(layersOf(next)), Deferred.succeed(ready, undefined))
    yield* Stream.runForEach(addresses, (next) => Effect.suspend(() => follow(next))).pipe(
      Effect.onExit((exit) =>
        Effect.flatMap(
          Deferred.done(ready, exit),
          (isFirst) =>
            Exit.isSuccess(exit) || isFirst || Cause.hasInterruptsOnly(exit.cause)
              ? Effect.void
              : Effect.logError(`The addresses of ${service.key} are not followed any more`, exit.cause)
        )
      ),
      Effect.forkScoped
    )
    yield* Deferred.await(ready)
    return contextOf(service, set)
  }))
}

/**
 * The layer of a service with replicas of its own: it also gives their controller, and knows its key, so that
 * `Resources.require` takes it.
 *
 * @category models
 * @since 0.2.0
 */
export interface ReplicasLayer<in out Self, out E, out R>
  extends Layer.Layer<Self | Viewed<Self> | Controlled<Self>, E, R>
{
  readonly service: Context.Key<Self, unknown>
}

/** A program whose calls no replica would answer does not ask for requests. */
const reportReadiness = <E, R>(service: Model.Any, { status }: ReplicaSet.ReplicaSet<E, R>) =>
  Readiness.report(
    service.key,
    Effect.map(
      status,
      (replicas) => replicas.some(({ state }) => state === "ready") ? undefined : "no replica is ready"
    )
  )

const contextOf = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  set: ReplicaSet.ReplicaSet<E, R>
): Context.Context<Self | Viewed<Self>> =>
  // The methods by name, whose types `service` states again.
  Context.make(service, set.client as Model.Client<Rpcs>).pipe(
    Context.add(view(service), { status: set.status, changes: set.changes })
  )

/** What one replica has of what all of them were granted. */
const shareOf = ({ gpus, threads }: Resources.Grant, index: number): Resources.Grant => {
  const own = gpus[index % Math.max(1, gpus.length)]
  return { replicas: 1, threads, gpus: own === undefined ? [] : [own] }
}

const defaultBackoff = Schedule.jittered(
  Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")])
)

const toSettings = <Client>(options: Options<Client>): ReplicaSet.Settings => {
  const { eject, probe, respawn } = options
  const crashLoop = respawn?.crashLoop
  return {
    maxInFlight: requireCount("maxInFlight", options.maxInFlight ?? Infinity, 1),
    maxQueue: requireCount("maxQueue", options.maxQueue ?? 1024, 0),
    connectTimeout: Duration.fromInputUnsafe(options.connectTimeout ?? "2 seconds"),
    drainTimeout: Duration.fromInputUnsafe(options.drainTimeout ?? "30 seconds"),
    eject: {
      after: requireCount("eject.after", eject?.after ?? 3, 1),
      from: millis(eject?.from ?? "1 second"),
      to: millis(eject?.to ?? "30 seconds")
    },
    // The client that it is called with is that of the service, whose type is erased until there.
    probe: probe && {
      call: probe.call as ReplicaSet.Probe,
      interval: Duration.fromInputUnsafe(probe.interval ?? "1 second")
    },
    backoff: respawn?.backoff ?? defaultBackoff,
    crashLoop: {
      times: requireCount("respawn.crashLoop.times", crashLoop?.times ?? 5, 1),
      within: Duration.fromInputUnsafe(crashLoop?.within ?? "1 minute")
    },
    onUnavailable: undefined
  }
}

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

const requireReplicas = (count: number) => requireCount("replicas", Number.isFinite(count) ? count : NaN, 1)

const requireCount = (name: string, count: number, least: number): number => {
  if ((Number.isInteger(count) || count === Infinity) && count >= least) return count
  throw new RangeError(`${name} must be a whole number of at least ${least}, not ${count}`)
}

// `Array.isArray` does not know arrays that cannot be written to.
const isList = (addresses: ReadonlyArray<Address> | Discovery<unknown>): addresses is ReadonlyArray<Address> =>
  Array.isArray(addresses)
