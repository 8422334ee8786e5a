/** The replicas of one unit in threads or processes: more, fewer, and each anew without a call lost. */
import {
  Array as Arrays,
  Duration,
  Effect,
  type Layer,
  Option,
  Schedule,
  Schema,
  type Scope,
  Semaphore,
  Stream
} from "effect"
import * as ReplicaSet from "../internal/replicaSet.ts"
import type * as Model from "../Model.ts"

export interface Replicas {
  readonly client: Model.AnyClient
  readonly status: Effect.Effect<ReadonlyArray<ReplicaSet.Status>>
  /** How many there shall be; does not wait until they are. */
  readonly set: (count: number) => Effect.Effect<void>
  /** Replaces each by a new one, which is ready before the old one takes no further call; one after another. */
  readonly restart: Effect.Effect<void, ReplicaNotReady>
}

/** A replica that was to replace another did not become ready; those that were there still are. */
export class ReplicaNotReady extends Schema.TaggedError<ReplicaNotReady>()("ReplicaNotReady", {
  service: Schema.String,
  replica: Schema.String
}) {
  override get message(): string {
    return `the replica ${this.replica} of ${this.service} did not become ready; the log says why`
  }
}

/** Starts so many replicas and waits for all of them; fails with the error of one that does not start. */
export const make = Effect.fnUntraced(function*<E, R>(
  service: Model.Any,
  count: number,
  layerOf: (name: string, index: number) => Layer.Layer<never, E, R>
): Effect.fn.Return<Replicas, E, R | Scope.Scope> {
  const set = yield* ReplicaSet.make<E, R>(service, settings)
  const turn = yield* Semaphore.make(1)
  let wanted: ReadonlyArray<Member<E, R>> = []
  const lives = new Map<number, number>()

  const member = (index: number): Member<E, R> => {
    const life = lives.get(index) ?? 0
    lives.set(index, life + 1)
    const name = life === 0 ? String(index) : `${index}.${life}`
    return { name, index, layer: layerOf(name, index) }
  }
  const want = (members: ReadonlyArray<Member<E, R>>) => {
    wanted = members
    set.change(toLayers(members))
  }
  const resize = (count: number) =>
    Effect.sync(() => {
      const kept = wanted.toSorted((a, b) => a.index - b.index).slice(0, count)
      const free = Array.from({ length: count }, (_, index) => index).filter((index) =>
        !kept.some((other) => other.index === index)
      )
      want([...kept, ...free.slice(0, count - kept.length).map(member)])
    })
  const replace = Effect.fnUntraced(function*(old: Member<E, R>) {
    const next = member(old.index)
    want([...wanted, next])
    if (yield* becomesReady(set, next.name)) return want(wanted.filter((other) => other !== old))
    want(wanted.filter((other) => other !== next))
    return yield* new ReplicaNotReady({ service: service.key, replica: next.name })
  })

  wanted = Arrays.makeBy(count, member)
  yield* set.start(toLayers(wanted))
  return {
    client: set.client,
    status: set.status,
    set: (count) => turn.withPermit(resize(count)),
    restart: turn.withPermit(Effect.suspend(() => Effect.forEach(wanted, replace, { discard: true })))
  }
})

interface Member<E, R> {
  readonly name: string
  /** Which share of what the unit was granted it has; a replica that replaces another has the same. */
  readonly index: number
  readonly layer: Layer.Layer<never, E, R>
}

const toLayers = <E, R>(members: ReadonlyArray<Member<E, R>>) =>
  new Map(members.map(({ layer, name }) => [name, layer]))

/** Whether a replica is ready in the end: it may end and be built again a few times before. */
const becomesReady = <E, R>(set: ReplicaSet.ReplicaSet<E, R>, name: string): Effect.Effect<boolean> =>
  set.changes.pipe(
    Stream.map((all) => all.find((status) => status.name === name)?.state),
    Stream.filter((state) => state === "ready" || state === "failed"),
    Stream.runHead,
    Effect.map((state) => Option.isSome(state) && state.value === "ready")
  )

/** What `Replicas.layer` has unless it is told otherwise; how many calls run is for the limits of the unit to say. */
const settings: ReplicaSet.Settings = {
  maxInFlight: Infinity,
  maxQueue: 1024,
  connectTimeout: Duration.seconds(2),
  drainTimeout: Duration.seconds(30),
  eject: { after: 3, from: 1000, to: 30_000 },
  probe: undefined,
  backoff: Schedule.jittered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")])),
  crashLoop: { times: 5, within: Duration.minutes(1) },
  onUnavailable: undefined
}
