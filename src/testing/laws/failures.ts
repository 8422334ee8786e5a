/** Laws 2 and 3: declared errors and defects. */
import { Duration, Effect, Exit, Fiber, Stream } from "effect"
import * as ServiceError from "../../ServiceError.ts"
import { Exhausted, Probe, Refused } from "../Probe.ts"
import { holdRetryAfter } from "../ProbeLive.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const declared = lawsOf(2)
const defects = lawsOf(3)

const refused = (limits: ReadonlyArray<number>) =>
  new Refused({
    reason: "too dark",
    at: new Date(1_234_567_890_123),
    limits,
    cause: { code: 2n ** 64n, evidence: Uint8Array.of(1, 2, 3) }
  })

const refusals = [refused([0.5, -1, 1e300]), new Exhausted()]

const extremes = [refused([-0, NaN, Infinity])]

/** The two services, both of which refuse: one hop away and two. */
const hops = ({ probe, relay }: Place) => [["one hop", probe], ["two hops", relay]] as const

const keepsErrors = (refusals: ReadonlyArray<Refused | Exhausted>) => (place: Place) =>
  Effect.forEach(hops(place), ([distance, service]) =>
    Effect.forEach(refusals, (refusal) =>
      Effect.flatMap(
        Expect.failureOf(service.refuse({ refusal }), `the declared error ${refusal._tag}`),
        (error) => Expect.same(refusal, error, `the error from ${distance} away`)
      )), { discard: true })

const keepsStreamErrors = (place: Place) =>
  Effect.forEach(hops(place), ([distance, service]) =>
    Effect.forEach(refusals, (refusal) =>
      Effect.flatMap(
        Expect.failureOf(Stream.runDrain(service.countAndRefuse({ to: 3, refusal })), refusal._tag),
        (error) => Expect.same(refusal, error, `the error of the stream from ${distance} away`)
      )), { discard: true })

const keepsServiceErrors = (place: Place) =>
  Effect.forEach(hops(place), ([distance, service]) =>
    Effect.gen(function*() {
      const error: unknown = yield* Expect.failureOf(service.shed(), "Overloaded")
      const expected = new ServiceError.ServiceError({
        service: Probe.key,
        method: "shed",
        reason: new ServiceError.Overloaded({ retryAfter: holdRetryAfter })
      })
      yield* Expect.same(expected, error, `the ServiceError from ${distance} away`)
    }), { discard: true })

const keepsDefects = (place: Place) =>
  Effect.forEach(hops(place), ([distance, service]) =>
    Effect.flatMap(
      Expect.defectOf(service.fault({ message: "a bug in the model" })),
      (message) => Expect.same("a bug in the model", message, `the message from ${distance} away`)
    ), { discard: true })

const keepsStreamDefects = Effect.fnUntraced(function*({ probe }: Place) {
  const seen: Array<number> = []
  const stream = Stream.runForEach(
    probe.countAndFault({ to: 3, message: "a bug in the model" }),
    (item) => Effect.sync(() => seen.push(item))
  )
  yield* Expect.same("a bug in the model", yield* Expect.defectOf(stream), "the message")
  yield* Expect.same([1, 2, 3], seen, "the items before the defect")
})

const failsAlone = Effect.fnUntraced(function*(place: Place) {
  const { probe } = place
  const id = yield* Expect.newId
  const before = yield* Sightings.all(place, id)
  const waiting = yield* Effect.forkScoped(probe.wait({ id }))
  const resting = yield* Effect.forkScoped(probe.rest({ id: `${id}-rest`, duration: Duration.millis(300) }))
  yield* Sightings.started(place, id)
  yield* Sightings.started(place, `${id}-rest`)
  yield* Effect.replicateEffect(Effect.exit(probe.fault({ message: "a bug" })), 8, { concurrency: "unbounded" })
  const rested = yield* Fiber.await(resting)
  yield* Expect.holds(Exit.isSuccess(rested), "a call beside the defects to succeed", () => Expect.describe(rested))
  yield* Expect.holds(waiting.pollUnsafe() === undefined, "a call beside the defects to go on", "that it had ended")
  const { replicas } = yield* Sightings.all(place, id)
  // One that had said it was full before may not have been asked at first.
  const gone = Array.from(before.replicas).filter((replica) => !replicas.has(replica))
  yield* Expect.same([], gone, "the replicas that were there before the defects, and not after")
  yield* Fiber.interrupt(waiting)
})

const refusesMisfit = Effect.fnUntraced(function*(place: Place) {
  const exit = yield* Effect.exit(Expect.endsSoon("the call")(place.probe.misfit()))
  yield* Expect.holds(Exit.hasDies(exit), "a defect where an Int was 0.5", () => Expect.describe(exit))
  yield* Expect.stillAnswers(place)
})

export const laws: ReadonlyArray<Law> = [
  declared("an error arrives as its class with all fields, from one and two hops away", keepsErrors(refusals), [
    "errors"
  ]),
  declared("an error keeps NaN, -0 and infinities in its fields", keepsErrors(extremes), ["errors", "numbers"]),
  declared(
    "the error of a stream arrives as its class with all fields, from one and two hops away",
    keepsStreamErrors,
    [
      "errors",
      "streams"
    ]
  ),
  declared("a ServiceError names the service where it began, from one and two hops away", keepsServiceErrors, [
    "origins"
  ]),
  defects("a defect arrives as a defect with its message, from one and two hops away", keepsDefects, ["defects"]),
  defects("a defect in a stream arrives after the items before it", keepsStreamDefects, ["defects", "streams"]),
  defects("calls beside a defect go on, and the replica lives on", failsAlone),
  defects("a result that the contract refuses is a defect of its call, never a value", refusesMisfit, [
    "defects",
    "encoding"
  ])
]
