/** Laws 7 and 10: calls at the same time, and too many of them. */
import { Duration, Effect, Exit, Fiber, Queue } from "effect"
import { holdCapacity, holdRetryAfter } from "../ProbeLive.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const overlap = lawsOf(7)
const full = lawsOf(10)

/** Forty calls of half a second each: twenty seconds one after another. */
const overlaps = Effect.fnUntraced(function*({ probe }: Place) {
  const id = yield* Expect.newId
  yield* probe.rest({ id, duration: Duration.millis(500) }).pipe(
    Effect.replicateEffect(40, { concurrency: "unbounded", discard: true }),
    Expect.endsSoon("40 calls of half a second at once", Duration.seconds(5))
  )
})

const fastPassesSlow = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const slow = yield* Effect.forkScoped(place.probe.wait({ id }))
  yield* Sightings.started(place, id)
  for (let n = 0; n < 20; n++) yield* Expect.stillAnswers(place)
  yield* Fiber.interrupt(slow)
})

const answersEach = Effect.fnUntraced(function*({ probe }: Place) {
  const numbers = Array.from({ length: 2000 }, (_, index) => index)
  const exits = yield* Effect.forEach(numbers, (n) => Effect.exit(probe.double({ n })), { concurrency: 64 })
  const wrong = exits.filter((exit, n) => !(Exit.isSuccess(exit) && exit.value === 2 * n))
  yield* Expect.holds(
    wrong.length === 0,
    "2000 calls, 64 at a time, to have an answer each, its own",
    () => `${wrong.length} without, such as ${wrong.slice(0, 3).map(Expect.describe).join(", ")}`
  )
})

/** More calls than all replicas take: what is over is refused while what is held goes on. */
const sheds = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const replicas = place.location.replicas ?? 1
  const capacity = holdCapacity * replicas
  const refused = yield* Queue.unbounded<unknown>()
  const calls = yield* Effect.replicateEffect(
    Effect.forkScoped(Effect.tapError(place.probe.hold({ id }), (error) => Queue.offer(refused, error))),
    capacity + 4
  )
  const errors = yield* Expect.endsSoon("the refusal of 4 calls over the limit")(Queue.takeN(refused, 4))
  for (const error of errors) {
    const reason = yield* Expect.reasonOf(Effect.fail(error), "Overloaded")
    // Law 2 is that it arrives to the millisecond, where it does.
    if (reason._tag === "Overloaded") {
      yield* Expect.same(seconds(holdRetryAfter), seconds(reason.retryAfter), "retryAfter, in seconds rounded up")
    }
  }
  // A balancer that cannot know which replica is full may fill one before another.
  const held = calls.filter((call) => call.pollUnsafe() === undefined).length
  yield* Expect.holds(held === capacity || replicas > 1 && held > 0, `${capacity} calls to be held`, String(held))
  yield* Expect.stillAnswers(place)
  yield* Fiber.interruptAll(calls)
})

const seconds = (duration: Duration.Duration): number => Math.ceil(Duration.toSeconds(duration))

const takesAgain = Effect.fnUntraced(function*(place: Place) {
  const [first, second] = [yield* Expect.newId, yield* Expect.newId]
  const capacity = holdCapacity * (place.location.replicas ?? 1)
  const calls = yield* Effect.replicateEffect(Effect.forkScoped(place.probe.hold({ id: first })), capacity)
  const count = ({ events }: Sightings.Sightings, kind: string) => events.filter((event) => event === kind).length
  const refused = () => calls.filter((call) => call.pollUnsafe() !== undefined).length
  const all = (seen: Sightings.Sightings) => count(seen, "started") + refused() === capacity
  yield* Sightings.eventually(place, first, `started ${capacity} times`, all)
  yield* Fiber.interruptAll(calls)
  yield* Sightings.eventually(
    place,
    first,
    "let go of all calls",
    (seen) => count(seen, "started") === count(seen, "interrupted")
  )
  const again = yield* Effect.forkScoped(place.probe.hold({ id: second }))
  yield* Sightings.started(place, second)
  yield* Fiber.interrupt(again)
})

export const laws: ReadonlyArray<Law> = [
  overlap("calls in flight overlap", overlaps),
  overlap("a fast call passes a slow one", fastPassesSlow),
  overlap("each of many calls has an answer, its own", answersEach),
  full("a call over the limit is Overloaded at once, with retryAfter, and those within it go on", sheds),
  full("a place that was full takes calls when others have ended", takesAgain)
]
