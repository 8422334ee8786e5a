/** Law 9: a replica that dies. */
import { Cause, Clock, Duration, Effect, Exit, Fiber, Schedule } from "effect"
import * as ServiceError from "../../ServiceError.ts"
import type { Probe } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const law = lawsOf(9)

/** A replica that was killed is started again with backoff, and may have a model to load. */
const recovery = Duration.seconds(20)

interface Held {
  readonly id: string
  readonly fiber: Fiber.Fiber<void, unknown>
  readonly replica: string | undefined
}

/** Calls that wait on every replica, each with the replica that it is on. */
const hold = Effect.fnUntraced(function*(place: Place) {
  const replicas = place.location.replicas ?? 1
  const ids = yield* Effect.replicateEffect(Expect.newId, 4 * replicas)
  return yield* Effect.forEach(ids, (id) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkScoped(place.probe.wait({ id }))
      const { by } = yield* Sightings.started(place, id)
      const held: Held = { id, fiber, replica: by[0] }
      return held
    }), { concurrency: "unbounded" })
})

const isUnavailable = (exit: Exit.Exit<unknown, unknown> | undefined): boolean =>
  exit !== undefined && Exit.isFailure(exit) &&
  exit.cause.reasons.every((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof ServiceError.ServiceError &&
    reason.error.reason._tag === "Unavailable"
  )

/** Waits until calls have failed that were held, and nothing more has for a moment. */
const failed = (held: ReadonlyArray<Held>, before = 0): Effect.Effect<ReadonlyArray<Held>> =>
  Effect.suspend(() => {
    const ended = held.filter(({ fiber }) => fiber.pollUnsafe() !== undefined)
    return ended.length > 0 && ended.length === before
      ? Effect.succeed(ended)
      : Effect.delay(failed(held, ended.length), "200 millis")
  })

const failsItsOwn = Effect.fnUntraced(function*(place: Place) {
  const held = yield* hold(place)
  // The first that is killed may be one that had none of the calls.
  const killing = yield* Effect.ignore(place.location.kill?.(place) ?? Effect.void).pipe(
    Effect.repeat(Schedule.spaced("2 seconds")),
    Effect.forkScoped
  )
  const lost = yield* Expect.endsSoon("the end of the calls on a replica that was killed", recovery)(failed(held))
  yield* Fiber.interrupt(killing)
  for (const { fiber } of lost) {
    const exit = fiber.pollUnsafe()
    yield* Expect.holds(isUnavailable(exit), "Unavailable", () => exit === undefined ? "none" : Expect.describe(exit))
  }
  const dead = new Set(lost.map(({ replica }) => replica))
  yield* Expect.same(1, dead.size, "the number of replicas whose calls failed")
  const there = held.filter(({ replica }) => dead.has(replica))
  yield* Expect.same(there.length, lost.length, "the number of calls that failed, of those on that replica")
  yield* answersAgain(place)
})

/** The next calls succeed where other replicas can take them, and otherwise once the replica is back. */
const answersAgain = (place: Place) => (place.location.replicas ?? 1) === 1 ? awaitReplica(place) : callOthers(place)

const callOthers = Effect.fnUntraced(function*(place: Place) {
  for (let call = 0; call < 4 * (place.location.replicas ?? 1); call++) {
    const exit = yield* Effect.exit(Expect.endsSoon("a call to the other replicas")(double(place.probe)))
    yield* Expect.holds(
      Exit.isSuccess(exit),
      "the calls after a replica was killed to succeed, as there are others",
      () => Expect.describe(exit)
    )
  }
})

const awaitReplica = Effect.fnUntraced(function*(place: Place) {
  const start = yield* Clock.currentTimeMillis
  while (true) {
    const exit = yield* Effect.exit(
      Expect.endsSoon("a call after its replica was killed", recovery)(double(place.probe))
    )
    if (Exit.isSuccess(exit)) return
    const late = (yield* Clock.currentTimeMillis) - start > Duration.toMillis(recovery)
    yield* Expect.holds(
      isUnavailable(exit) && !late,
      "calls to be Unavailable until the replica is back, and answered then",
      () => Expect.describe(exit)
    )
    yield* Effect.sleep("50 millis")
  }
})

const double = (probe: Probe["Service"]) => probe.double({ n: 21 })

const comesBack = Effect.fnUntraced(function*(place: Place) {
  const replicas = place.location.replicas ?? 1
  const id = yield* Expect.newId
  // One that was killed before may not be back yet.
  const before = yield* Expect.endsSoon("all replicas to answer", recovery)(untilAll(place, id, replicas))
  yield* Effect.forkScoped(Effect.ignore(place.location.kill?.(place) ?? Effect.void))
  yield* Expect.endsSoon("a new replica", recovery)(untilNew(place, id, before))
})

/** Asks until so many replicas answer. */
const untilAll = (place: Place, id: string, count: number): Effect.Effect<ReadonlySet<string>, unknown> =>
  Effect.flatMap(Sightings.all(place, id), ({ replicas }) =>
    replicas.size === count
      ? Effect.succeed(replicas)
      : Effect.delay(Effect.suspend(() => untilAll(place, id, count)), "100 millis"))

/** Asks until as many replicas answer as there were, one of which was not there before. */
const untilNew = (place: Place, id: string, before: ReadonlySet<string>): Effect.Effect<void> =>
  Effect.flatMap(Effect.exit(Sightings.all(place, id)), (exit) => {
    const now = Exit.isSuccess(exit) ? Array.from(exit.value.replicas) : []
    return now.length === before.size && now.some((replica) => !before.has(replica))
      ? Effect.void
      : Effect.delay(Effect.suspend(() => untilNew(place, id, before)), "100 millis")
  })

export const laws: ReadonlyArray<Law> = [
  law("calls on a replica that dies are Unavailable, others go on, and the next call succeeds", failsItsOwn, ["kill"]),
  law("a replica that died is there again", comesBack, ["kill"])
]
