/** Replicas that come and go, and the calls that are spread over those that are there. */
import {
  Clock,
  Deferred,
  Duration,
  Effect,
  Exit,
  type Fiber,
  FiberSet,
  type Layer,
  PubSub,
  Random,
  type Schedule,
  Stream
} from "effect"
import type * as Model from "../Model.ts"
import { Balancer, type Replica } from "./balancer.ts"
import * as ReplicaCalls from "./replicaCalls.ts"
import type { Ejection } from "./replicaHealth.ts"
import * as Slots from "./replicaSlot.ts"

export interface Settings {
  readonly maxInFlight: number
  readonly maxQueue: number
  readonly connectTimeout: Duration.Duration
  readonly drainTimeout: Duration.Duration
  readonly eject: Ejection
  readonly probe: { readonly call: Probe; readonly interval: Duration.Duration } | undefined
  readonly backoff: Schedule.Schedule<unknown>
  readonly crashLoop: { readonly times: number; readonly within: Duration.Duration }
  /** Done after a call that no replica answered. */
  readonly onUnavailable: Effect.Effect<void> | undefined
}

export type Probe = (client: Model.AnyClient) => Effect.Effect<unknown, unknown>

/**
 * One replica as it is now.
 *
 * `starting` is also a replica that waits to be built again; one that is `failed` will not be. `inFlight` includes the
 * calls that callers have given up and the replica has not; `failures` are the calls that it did not answer.
 *
 * @category models
 * @since 0.2.0
 */
export interface Status {
  readonly name: string
  readonly state: "starting" | "ready" | "ejected" | "draining" | "failed"
  readonly inFlight: number
  readonly calls: number
  readonly failures: number
  readonly restarts: number
}

/** The layers of replicas by name. */
export type Wanted<E, R> = ReadonlyMap<string, Layer.Layer<never, E, R>>

export interface ReplicaSet<E, R> {
  readonly client: Model.AnyClient
  /** Starts the first replicas and waits for all of them; fails when one of them does. */
  readonly start: (wanted: Wanted<E, R>) => Effect.Effect<void, E>
  /** Starts what is wanted and not there, and drains what is there and not wanted. */
  readonly change: (wanted: Wanted<E, R>) => void
  /** The same for replicas that are alike, named by their index. */
  readonly resize: (count: number, layerOf: (index: number) => Layer.Layer<never, E, R>) => void
  readonly status: Effect.Effect<ReadonlyArray<Status>>
  /** The status now, and after each change of a state. */
  readonly changes: Stream.Stream<ReadonlyArray<Status>>
}

/** The replicas end with the scope. */
export const make = Effect.fnUntraced(function*<E, R>(service: Model.Any, settings: Settings) {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const changed = yield* PubSub.sliding<void>(1)
  const run = yield* FiberSet.makeRuntime<R, void, never>()
  const slots = new Map<string, Slots.Slot>()
  let lastEnd: string | undefined
  let isClosed = false

  const balancer: Balancer<Model.AnyClient> = new Balancer({
    maxInFlight: settings.maxInFlight,
    maxQueue: settings.maxQueue,
    patience: Duration.toMillis(settings.connectTimeout),
    eject: settings.eject,
    tryByCall: settings.probe === undefined,
    now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
    random: () => random.nextDoubleUnsafe(),
    onWaiting: () => wakeInTime(),
    onUnavailable: () => settings.onUnavailable === undefined ? undefined : run(settings.onUnavailable),
    onEjected: (replica) => {
      PubSub.publishUnsafe(changed, undefined)
      if (settings.probe !== undefined) run(probe(balancer, replica, settings.probe))
    },
    onRestored: () => PubSub.publishUnsafe(changed, undefined)
  })
  const wakeInTime = alarm(balancer, run)

  const onChange = () => {
    for (const [name, { lastEnd: why, state }] of slots) {
      lastEnd = why ?? lastEnd
      if (state === "gone") slots.delete(name)
    }
    const states = Array.from(slots.values(), ({ state }) => state)
    balancer.setHopeless(isClosed || states.length > 0 && states.every((state) => state === "failed"))
    PubSub.publishUnsafe(changed, undefined)
  }
  const host: Slots.Host<R> = { ...settings, service, balancer, run, onChange }

  const add = (name: string, layer: Layer.Layer<never, E, R>, started?: Deferred.Deferred<void, E>) => {
    slots.set(name, Slots.start(host, { name, layer, started, before: slots.get(name) }))
    onChange()
  }
  const want = (name: string, layer: Layer.Layer<never, E, R>) => {
    const slot = slots.get(name)
    const isThere = slot !== undefined &&
      (slot.state === "starting" || slot.state === "running" || Slots.keep(host, slot))
    if (!isThere) add(name, layer)
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      onChange()
    })
  )
  const status = Effect.sync(() => Array.from(slots.values(), statusOf))
  const set: ReplicaSet<E, R> = {
    client: ReplicaCalls.make(service, balancer, () =>
      isClosed
        ? "the replicas have been released"
        : whyDown(Array.from(slots.values()), lastEnd, settings.connectTimeout)),
    start: (wanted) =>
      Effect.forEach(wanted, ([name, layer]) => {
        const started = Deferred.makeUnsafe<void, E>()
        add(name, layer, started)
        return Deferred.await(started)
      }, { concurrency: "unbounded", discard: true }),
    change: (wanted) => {
      for (const [name, layer] of wanted) want(name, layer)
      for (const [name, slot] of slots) if (!wanted.has(name)) Slots.drain(host, slot)
    },
    resize: (count, layerOf) => {
      const all = Array.from(slots.values())
      const kept = all.filter(({ state }) => state !== "draining")
      for (const slot of kept.toSorted(byNeed).slice(count)) Slots.drain(host, slot)
      for (const { name, state } of kept) if (state === "failed" && slots.has(name)) want(name, layerOf(Number(name)))
      let missing = count - kept.length
      for (const slot of all) if (missing > 0 && Slots.keep(host, slot)) missing--
      for (let index = 0; missing > 0; index++) {
        const name = String(index)
        if (slots.has(name) && slots.get(name)?.state !== "draining") continue
        want(name, layerOf(index))
        missing--
      }
    },
    status,
    changes: Stream.unwrap(
      Effect.map(
        PubSub.subscribe(changed),
        (subscription) =>
          Stream.concat(
            Stream.fromEffect(status),
            Stream.mapEffect(Stream.fromSubscription(subscription), () => status)
          )
      )
    )
  }
  return set
})

/** Runs `wake` of a balancer when it is due. */
const alarm = (
  balancer: Balancer<Model.AnyClient>,
  run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
) => {
  let timer: { readonly at: number; readonly fiber: Fiber.Fiber<void> } | undefined
  const set = () => {
    const at = balancer.nextDue()
    if (at === undefined || timer !== undefined && timer.at <= at) return
    timer?.fiber.interruptUnsafe()
    const ring = Effect.sync(() => {
      timer = undefined
      balancer.wake()
    })
    timer = { at, fiber: run(Effect.delay(ring, Duration.millis(Math.max(0, at - balancer.now())))) }
  }
  return set
}

/** Asks an ejected replica until it answers, from the end of its ejection on. */
const probe = Effect.fnUntraced(function*(
  balancer: Balancer<Model.AnyClient>,
  replica: Replica<Model.AnyClient>,
  { call, interval }: NonNullable<Settings["probe"]>
) {
  yield* Effect.sleep(Duration.millis(replica.health.ejectedUntil - balancer.now()))
  while (replica.state === "ejected") {
    const exit = yield* Effect.exit(Effect.timeout(call(replica.value), interval))
    if (Exit.isSuccess(exit)) return balancer.restore(replica)
    yield* Effect.sleep(interval)
  }
})

const statusOf = ({ counts, name, replica, restarts, state }: Slots.Slot): Status => ({
  name,
  state: state === "running"
    ? replica?.state === "ejected" ? "ejected" : "ready"
    : state === "gone"
    ? "draining"
    : state,
  inFlight: replica === undefined ? 0 : replica.inFlight + replica.load.abandoned,
  ...counts,
  restarts
})

/** Those that are of more use come first, then those that have been there for longer. */
const byNeed = (a: Slots.Slot, b: Slots.Slot): number => useOf(b) - useOf(a) || Number(a.name) - Number(b.name)

const useOf = ({ replica, state }: Slots.Slot): number =>
  state === "running" ? replica?.state === "ready" ? 3 : 2 : state === "starting" ? 1 : 0

const whyDown = (
  slots: ReadonlyArray<Slots.Slot>,
  lastEnd: string | undefined,
  connectTimeout: Duration.Duration
): string => {
  const last = lastEnd === undefined ? "" : `; the last that ended: ${lastEnd}`
  if (slots.length === 0) return "there are no addresses of replicas"
  return slots.every(({ state }) => state === "failed")
    ? `all replicas have failed (${slots.length})${last}`
    : `no replica was ready within ${Duration.format(connectTimeout)}${last}`
}
