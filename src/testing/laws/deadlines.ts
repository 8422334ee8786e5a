/** Law 5: deadlines. */
import { Duration, Effect, Fiber, Stream } from "effect"
import * as Deadline from "../../Deadline.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const law = lawsOf(5)

const isWithin = (remaining: number | null, limit: number): remaining is number =>
  remaining !== null && remaining > 0 && remaining <= limit

const travels = Effect.fnUntraced(function*({ probe }: Place) {
  const id = yield* Expect.newId
  const without = yield* probe.remaining({ id })
  yield* Expect.same(null, without, "the deadline of a handler where the caller has none")
  const left = yield* Deadline.within(probe.remaining({ id }), "10 seconds")
  yield* Expect.holds(isWithin(left, 10_000), "more than 0 and at most 10000 ms in the handler", String(left))
})

const shrinks = Effect.fnUntraced(function*({ relay }: Place) {
  const id = yield* Expect.newId
  const { here, there } = yield* Deadline.within(relay.remaining({ id }), "10 seconds")
  yield* Expect.holds(isWithin(here, 10_000), "more than 0 and at most 10000 ms in the first hop", String(here))
  yield* Expect.holds(isWithin(there, here ?? 0), `at most ${here} ms in the second hop`, String(there))
})

const refusesSpent = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  yield* Expect.reasonOf(Deadline.within(place.probe.remaining({ id }), Duration.zero), "DeadlineExceeded")
  yield* Expect.reasonOf(Deadline.within(place.relay.remaining({ id }), Duration.zero), "DeadlineExceeded")
  const [direct, relayed] = [yield* Sightings.all(place, id), yield* Sightings.all(place, id, place.relay)]
  yield* Expect.same([], [...direct.events, ...relayed.events], "what the handler has seen of a call without time")
})

/** Expects a call that does not end by itself to be `DeadlineExceeded` when its time is over. */
const isLate = <A, E>(call: Effect.Effect<A, E>, budget: Duration.Duration) =>
  Deadline.within(call, budget).pipe(
    (late) => Expect.reasonOf(late, "DeadlineExceeded"),
    Expect.endsSoon("DeadlineExceeded", Duration.sum(budget, Expect.soon)),
    Effect.asVoid
  )

const endsLate = Effect.fnUntraced(function*(place: Place) {
  for (const service of [place.probe, place.relay]) {
    const attempt = (id: string, budget: Duration.Duration) => isLate(service.wait({ id }), budget)
    yield* Sightings.interrupted(place, yield* Sightings.startedWithin(place, attempt, service), service)
  }
})

const endsLateStream = Effect.fnUntraced(function*(place: Place) {
  const attempt = (id: string, budget: Duration.Duration) => isLate(Stream.runDrain(place.probe.drip({ id })), budget)
  yield* Sightings.ended(place, yield* Sightings.startedWithin(place, attempt))
})

const countsQueue = Effect.fnUntraced(function*(place: Place) {
  const [first, second] = [yield* Expect.newId, yield* Expect.newId]
  const replicas = place.location.replicas ?? 1
  const busy = yield* Effect.forEach(
    Array.from({ length: 4 * replicas }),
    () => Effect.forkScoped(place.probe.turn({ id: first, duration: Duration.seconds(60) }))
  )
  yield* Sightings.eventually(place, first, "started on every replica", ({ by }) => by.length === replicas)
  yield* isLate(place.probe.turn({ id: second, duration: Duration.zero }), Duration.millis(500))
  yield* Fiber.interruptAll(busy)
  const { events } = yield* Sightings.all(place, second)
  yield* Expect.same([], events, "what the handler has seen of a call whose time ended in the queue")
})

const leavesOnTime = Effect.fnUntraced(function*({ probe }: Place) {
  const id = yield* Expect.newId
  yield* Deadline.within(probe.rest({ id, duration: Duration.millis(50) }), "60 seconds")
})

export const laws: ReadonlyArray<Law> = [
  law("a handler sees what is left of the deadline of its caller", travels, ["deadlines"]),
  law("the second hop has no more time than the first", shrinks, ["deadlines"]),
  law("a call whose time is spent is refused before its handler starts", refusesSpent),
  law("a handler that is late is interrupted, over one hop and two, and its caller has DeadlineExceeded", endsLate),
  law("a stream that is late is closed, and its reader has DeadlineExceeded", endsLateStream, ["streams"]),
  law("the time in a queue counts", countsQueue),
  law("a call within its time is answered", leavesOnTime)
]
