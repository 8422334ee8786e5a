/**
 * The laws of a location, as values: what a caller can rely on wherever a service runs.
 *
 * A location is a way to satisfy a service: in this process, in a thread, behind a socket or a URL, or one of your own.
 * Serve `Laws.Probe` and `Laws.Relay` there, say how a caller connects, and `Laws.check` tries every law and says which
 * are kept. Nothing here depends on a test runner, or on Node.
 *
 * @since 0.2.0
 */
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import * as Concurrency from "./laws/concurrency.ts"
import * as Contracts from "./laws/contracts.ts"
import * as Deadlines from "./laws/deadlines.ts"
import * as Expect from "./laws/expect.ts"
import * as Failures from "./laws/failures.ts"
import * as Interruption from "./laws/interruption.ts"
import { capabilities, type Capability, forms, type Law, LawBroken, type Location, type Place } from "./laws/law.ts"
import * as Limits from "./laws/limits.ts"
import * as Replicas from "./laws/replicas.ts"
import type { Outcome, Report } from "./laws/report.ts"
import * as Sharing from "./laws/sharing.ts"
import * as Streams from "./laws/streams.ts"
import * as Traces from "./laws/traces.ts"
import * as Values from "./laws/values.ts"
import { Probe, Relay } from "./Probe.ts"

export {
  capabilities,
  type Capability,
  type Connect,
  forms,
  type Law,
  LawBroken,
  type LawNumber,
  type Location,
  type Place,
  statements
} from "./laws/law.ts"
export { type Outcome, type Report, toMarkdown } from "./laws/report.ts"
export { EveryDtype, EveryRank, EveryValue, Exhausted, Probe, Refused, Relay, Sighting, SpanReport } from "./Probe.ts"
export {
  type HandlersOf,
  holdCapacity,
  holdRetryAfter,
  layer,
  layerProbe,
  layerRelay,
  probeHandlers,
  relayHandlers
} from "./ProbeLive.ts"

/**
 * Every check of every law, by number; those that end a replica come last.
 *
 * @category constants
 * @since 0.2.0
 */
export const all: ReadonlyArray<Law> = [
  ...Values.laws,
  ...Failures.laws,
  ...Interruption.laws,
  ...Deadlines.laws,
  ...Streams.laws,
  ...Concurrency.laws,
  ...Sharing.laws,
  ...Traces.laws,
  ...Limits.laws,
  ...Contracts.laws,
  ...Replicas.laws
]

/**
 * Tries every law on a location, one after another, and says how each came out.
 *
 * A law that is broken fails nothing: it is in the report, with what was expected and what was seen. So is one that a
 * location cannot keep, by what it is `without`. Law 9 kills replicas where the location says how.
 *
 * **Example** (A location of your own)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Remote } from "chorale"
 * import { Laws } from "chorale/testing"
 * import { Effect, Layer } from "effect"
 *
 * export const main = Laws.check({
 *   name: "our cluster",
 *   replicas: 3,
 *   connect: (service) => Remote.layerHttp(service, { url: "http://laws" }).pipe(Layer.provide(NodeHttpClient.layerUndici))
 * }).pipe(Effect.tap((report) => Effect.log(Laws.toMarkdown([report]))))
 * ```
 *
 * @category running
 * @since 0.2.0
 */
export const check = (location: Location, laws: ReadonlyArray<Law> = all): Effect.Effect<Report, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const place = yield* open(location)
    const outcomes = yield* Effect.forEach(laws, (law) => outcomeOf(law, place))
    return { location: location.name, outcomes }
  }))

const outcomeOf = (law: Law, place: Place): Effect.Effect<Outcome> => {
  const left = untried(law, place.location)
  if (left !== undefined) {
    const { capability, reason } = left
    return Effect.succeed({ _tag: capability in forms ? "NotKept" : "NotApplicable", law, reason })
  }
  return Effect.match(run(law, place), {
    onSuccess: (): Outcome => ({ _tag: "Kept", law }),
    onFailure: (broken): Outcome => ({ _tag: "Broken", law, broken })
  })
}

/**
 * Connects to both services of a location, for as long as the scope is open.
 *
 * @category running
 * @since 0.2.0
 */
export const open = (location: Location): Effect.Effect<Place, unknown, Scope.Scope> =>
  Effect.map(
    Layer.build(Layer.merge(location.connect(Probe), location.connect(Relay))),
    (context) => ({ location, probe: Context.get(context, Probe), relay: Context.get(context, Relay) })
  )

/**
 * Tries one law on a place, for at most a minute.
 *
 * Whatever the check ends with besides success is `LawBroken`, a check that does not end included.
 *
 * @category running
 * @since 0.2.0
 */
export const run = (law: Law, place: Place): Effect.Effect<void, LawBroken> =>
  Effect.gen(function*() {
    // A call that cannot be interrupted must not keep the check from ending, so nobody waits for its interruption.
    const fiber = yield* Effect.forkDetach(Effect.scoped(law.check(place)))
    const exit = yield* Fiber.await(fiber).pipe(
      Effect.timeoutOrElse({ duration: longest, orElse: () => Effect.succeed(Exit.fail(hanging)) }),
      Effect.onExit(() => Effect.sync(() => fiber.interruptUnsafe()))
    )
    if (Exit.isFailure(exit)) return yield* toLawBroken(law, place.location, exit.cause)
  })

const longest = Duration.minutes(1)

const hanging = new Expect.Broken({ expected: "the check to end within a minute", seen: "that it went on" })

const toLawBroken = (law: Law, location: Location, cause: Cause.Cause<unknown>): LawBroken => {
  const found = cause.reasons.find(Cause.isFailReason)?.error
  const { expected, seen } = found instanceof Expect.Broken
    ? found
    : { expected: "every call of the check to be answered", seen: Expect.describe(Exit.failCause(cause)) }
  return new LawBroken({ location: location.name, number: law.number, law: law.name, expected, seen })
}

/**
 * Why a law cannot be tried on a location; nothing where it can.
 *
 * @category running
 * @since 0.2.0
 */
export const notApplicable = (law: Law, location: Location): string | undefined => untried(law, location)?.reason

/** What a law needs that a location does not offer, and why it does not; what does not apply comes first. */
const untried = (law: Law, location: Location) =>
  law.needs
    .toSorted((a, b) => Number(a in forms) - Number(b in forms))
    .flatMap((capability) => {
      const reason = missing(capability, location)
      return reason === undefined ? [] : [{ capability, reason }]
    })
    .at(0)

const missing = (capability: Capability, location: Location): string | undefined => {
  const told = location.without?.[capability]
  if (told !== undefined) return told
  switch (capability) {
    case "kill":
    case "maxPayload":
    case "refusing":
    case "silent":
      return location[capability] === undefined ? capabilities[capability] : undefined
    default:
      return undefined
  }
}

/**
 * The location of an implementation in this process, as `toLayer` makes it.
 *
 * @category constructors
 * @since 0.2.0
 */
export const local = (implementation: Layer.Layer<Probe | Relay>): Location => ({
  name: "local",
  // The layer has both services, and a location without skew is asked for no others; their types are erased here.
  connect: () => implementation as Layer.Layer<never> as Layer.Layer<any>, // oxlint-disable-line no-explicit-any -- as above
  without: { encoding: capabilities.encoding, skew: capabilities.skew }
})
