/** One replica over all its lives: it is built, watched, and built again after it has ended. */
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Pull, Schedule } from "effect"
import type * as Model from "../Model.ts"
import type { Balancer, Counts, Replica } from "./balancer.ts"
import { ReplicaEnd } from "./replicaEnd.ts"
import { ReplicaLoad } from "./replicaLoad.ts"

/** What a slot needs of the set that it is in. */
export interface Host<R> {
  readonly service: Model.Any
  readonly balancer: Balancer<Model.AnyClient>
  readonly run: (effect: Effect.Effect<void, never, R>) => Fiber.Fiber<void>
  readonly backoff: Schedule.Schedule<unknown>
  readonly crashLoop: { readonly times: number; readonly within: Duration.Duration }
  readonly drainTimeout: Duration.Duration
  readonly onChange: () => void
}

export interface Options<E, R> {
  readonly name: string
  readonly layer: Layer.Layer<never, E, R>
  /** Told of the first start, which is not tried again where somebody waits for it. */
  readonly started?: Deferred.Deferred<void, E> | undefined
  /** The slot that had the name before. */
  readonly before?: Slot | undefined
}

export interface Slot {
  readonly name: string
  state: "starting" | "running" | "draining" | "failed" | "gone"
  /** Why it ended last. */
  lastEnd: string | undefined
  replica: Replica<Model.AnyClient> | undefined
  restarts: number
  readonly counts: Counts
  fiber: Fiber.Fiber<void> | undefined
  /** Ends the present life; says whether it was not over already. */
  end: (why: string | undefined) => boolean
  drainTimer: Fiber.Fiber<void> | undefined
}

/** Starts a replica. */
export const start = <E, R>(host: Host<R>, options: Options<E, R>): Slot => {
  const slot: Slot = {
    name: options.name,
    state: "starting",
    lastEnd: undefined,
    replica: undefined,
    restarts: 0,
    counts: { calls: 0, failures: 0 },
    fiber: undefined,
    end: () => false,
    drainTimer: undefined
  }
  const before = options.before?.fiber
  slot.fiber = host.run(
    Effect.andThen(before === undefined ? Effect.void : Fiber.await(before), lives(host, options, slot)).pipe(
      Effect.annotateLogs({ service: host.service.key, replica: options.name }),
      Effect.ensuring(Effect.sync(() => change(host, slot, slot.state === "failed" ? "failed" : "gone")))
    )
  )
  return slot
}

/** Lets it finish its calls and take no other, and then go. */
export const drain = <R>(host: Host<R>, slot: Slot): void => {
  if (slot.state === "draining" || slot.state === "gone") return
  const { replica, state } = slot
  change(host, slot, state === "failed" ? "gone" : "draining")
  if (state !== "running" || replica === undefined) return slot.fiber?.interruptUnsafe()
  slot.drainTimer = host.run(Effect.delay(Effect.sync(() => slot.end(undefined)), host.drainTimeout))
  host.balancer.drain(replica, () => slot.end(undefined))
}

/** Takes `drain` back where that is still possible. */
export const keep = <R>(host: Host<R>, slot: Slot): boolean => {
  if (slot.state !== "draining" || slot.replica?.state !== "draining") return false
  slot.drainTimer?.interruptUnsafe()
  host.balancer.keep(slot.replica)
  change(host, slot, "running")
  return true
}

const change = <R>(host: Host<R>, slot: Slot, state: Slot["state"]): void => {
  slot.state = state
  host.onChange()
}

const lives = Effect.fnUntraced(function*<E, R>(host: Host<R>, options: Options<E, R>, slot: Slot) {
  const clock = yield* Clock.Clock
  const { times, within } = host.crashLoop
  let backoff = yield* Schedule.toStepWithSleep(host.backoff)
  let ends: ReadonlyArray<number> = []
  while (true) {
    const exit = yield* Effect.exit(life(host, options, slot))
    if (slot.state === "draining") return
    slot.lastEnd = Exit.isSuccess(exit) ? exit.value : describe(exit.cause)
    if (
      Exit.isFailure(exit) && options.started !== undefined &&
      Deferred.doneUnsafe(options.started, Exit.failCause(exit.cause))
    ) {
      return change(host, slot, "failed")
    }
    const now = clock.currentTimeMillisUnsafe()
    ends = [...ends.filter((at) => now - at < Duration.toMillis(within)), now]
    if (ends.length === 1) backoff = yield* Schedule.toStepWithSleep(host.backoff)
    if (ends.length >= times) break
    change(host, slot, "starting")
    yield* Effect.logWarning(`A replica has ended and will be built again: ${slot.lastEnd}`)
    const isOver = yield* Pull.catchDone(Effect.as(backoff(undefined), false), () => Effect.succeed(true))
    if (isOver) break
    slot.restarts++
  }
  change(host, slot, "failed")
  yield* Effect.logError(`A replica has ended too often and will not be built again: ${slot.lastEnd}`)
})

/** Builds the replica, offers it, and gives it up when it has ended or is drained; the result is why it ended. */
const life = <E, R>(host: Host<R>, { layer, name, started }: Options<E, R>, slot: Slot) =>
  Effect.scopedWith(Effect.fnUntraced(function*(scope) {
    const over = Deferred.makeUnsafe<string | undefined>()
    let replica: Replica<Model.AnyClient> | undefined
    const withdrawn = () => {
      if (replica !== undefined) host.balancer.remove(replica)
    }
    slot.end = (why) => {
      withdrawn()
      return Deferred.doneUnsafe(over, Effect.succeed(why))
    }
    const load: ReplicaLoad = {
      abandoned: 0,
      onFreed: () => replica === undefined ? undefined : host.balancer.freed(replica)
    }
    // What a replica builds for itself is its own: nothing is shared with the others over a memo map.
    const context = yield* Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope).pipe(
      Effect.provideService(ReplicaLoad, load),
      Effect.provideService(ReplicaEnd, {
        service: host.service.key,
        withdrawn,
        ended: ({ detail }) => slot.end(detail)
      })
    )
    if (!Deferred.isDoneUnsafe(over)) {
      // The layer satisfies the key of the service, which its erased type does not say.
      const client = Context.getUnsafe(context, host.service) as Model.AnyClient
      replica = host.balancer.add(name, client, load, slot.counts)
      slot.replica = replica
      change(host, slot, "running")
    }
    if (started !== undefined) Deferred.doneUnsafe(started, Exit.void)
    return yield* Effect.onExitPrimitive(Deferred.await(over), () => {
      slot.end(undefined)
      slot.drainTimer?.interruptUnsafe()
      slot.replica = undefined
      if (slot.state === "running") change(host, slot, "starting")
      return undefined
    })
  }))

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message || error.name : String(error)
}
