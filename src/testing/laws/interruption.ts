/** Law 4: interruption. */
import { Duration, Effect, Fiber, Stream } from "effect"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const law = lawsOf(4)

const interruptsHandler = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const call = yield* Effect.forkScoped(place.probe.wait({ id }))
  yield* Sightings.started(place, id)
  yield* Expect.endsSoon("the interruption")(Fiber.interrupt(call))
  yield* Sightings.interrupted(place, id)
})

const interruptsSecondHop = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const call = yield* Effect.forkScoped(place.relay.wait({ id }))
  yield* Sightings.started(place, id, place.relay)
  yield* Expect.endsSoon("the interruption")(Fiber.interrupt(call))
  yield* Sightings.interrupted(place, id, place.relay)
})

const interruptsSiblings = Effect.fnUntraced(function*(place: Place) {
  const ids = [yield* Expect.newId, yield* Expect.newId]
  const allStarted = Effect.forEach(ids, (id) => Sightings.started(place, id))
  const calls = [...ids.map((id) => place.probe.wait({ id })), Effect.andThen(allStarted, place.probe.shed())]
  yield* Expect.reasonOf(
    Expect.endsSoon("Effect.all")(Effect.all(calls, { concurrency: "unbounded", discard: true })),
    "Overloaded"
  )
  yield* Effect.forEach(ids, (id) => Sightings.interrupted(place, id))
})

const interruptsOnTimeout = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Sightings.startedWithin(place, (id, budget) =>
    place.probe.wait({ id }).pipe(
      Effect.timeoutOption(budget),
      Expect.endsSoon("a call that was timed out", Duration.sum(budget, Expect.soon))
    ))
  yield* Sightings.interrupted(place, id)
})

const interruptsStream = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const reader = yield* Effect.forkScoped(Stream.runDrain(place.probe.drip({ id })))
  yield* Sightings.started(place, id)
  yield* Expect.endsSoon("the interruption")(Fiber.interrupt(reader))
  yield* Sightings.ended(place, id)
})

const leavesOthers = Effect.fnUntraced(function*(place: Place) {
  const ids = yield* Effect.replicateEffect(Expect.newId, 8)
  const calls = yield* Effect.forEach(
    ids,
    (id) => Effect.forkScoped(place.probe.rest({ id, duration: Duration.millis(500) }))
  )
  yield* Effect.forEach(ids, (id) => Sightings.started(place, id))
  const [interrupted, kept] = [calls.slice(0, 4), calls.slice(4)]
  yield* Fiber.interruptAll(interrupted)
  yield* Expect.endsSoon("the calls beside it")(Fiber.joinAll(kept))
  for (const id of ids.slice(4)) {
    const { events } = yield* Sightings.all(place, id)
    yield* Expect.same(["started", "succeeded"], events, "what the handler of a call beside it has seen")
  }
})

export const laws: ReadonlyArray<Law> = [
  law("interrupting a call interrupts its handler", interruptsHandler),
  law("interrupting a call interrupts the handler two hops away", interruptsSecondHop),
  law("the siblings of a failed member of Effect.all are interrupted where they run", interruptsSiblings),
  law("a call that is timed out is interrupted where it runs", interruptsOnTimeout),
  law("interrupting the reader of a stream stops its producer", interruptsStream, ["streams"]),
  law("interrupting some calls leaves the others alone", leavesOthers)
]
