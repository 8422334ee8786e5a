/** What the handlers of a place have seen, asked through the place itself. */
import { Clock, Duration, Effect } from "effect"
import type { Sighting } from "../Probe.ts"
import { Broken, newId } from "./expect.ts"
import type { Place } from "./law.ts"

/** What all replicas together have seen. */
export interface Sightings {
  readonly events: ReadonlyArray<string>
  readonly produced: number
  /** Which replicas have answered. */
  readonly replicas: ReadonlySet<string>
  /** The replicas that have seen a call with the id. */
  readonly by: ReadonlyArray<string>
}

interface Observer {
  readonly observe: Place["probe"]["observe"]
}

/**
 * Asks until every replica has answered, a few at a time so that a balancer spreads them; gives what it has after some
 * rounds, as a replica that was killed may not be back.
 */
export const all = (place: Place, id: string, observer: Observer = place.probe): Effect.Effect<Sightings, unknown> => {
  const replicas = place.location.replicas ?? 1
  const concurrency = replicas === 1 ? 1 : 4 * replicas
  return Effect.gen(function*() {
    const seen = new Map<string, typeof Sighting.Type>()
    for (let round = 0; round < 8 && seen.size < replicas; round++) {
      const answers = yield* Effect.replicateEffect(observer.observe({ id }), concurrency, {
        concurrency: "unbounded"
      })
      for (const answer of answers) seen.set(answer.replica, answer)
    }
    return merge(Array.from(seen.values()))
  })
}

const merge = (seen: ReadonlyArray<typeof Sighting.Type>): Sightings => ({
  events: seen.flatMap(({ events }) => events),
  produced: seen.reduce((sum, { produced }) => sum + produced, 0),
  replicas: new Set(seen.map(({ replica }) => replica)),
  by: seen.filter(({ events }) => events.length > 0).map(({ replica }) => replica)
})

/** Asks until the handlers have seen what they should. */
export const eventually = Effect.fnUntraced(function*(
  place: Place,
  id: string,
  expected: string,
  condition: (sightings: Sightings) => boolean,
  observer: Observer = place.probe
) {
  const start = yield* Clock.currentTimeMillis
  while (true) {
    const sightings = yield* all(place, id, observer)
    if (condition(sightings)) return sightings
    if ((yield* Clock.currentTimeMillis) - start > Duration.toMillis(longest)) {
      const events = sightings.events.length === 0 ? "nothing" : sightings.events.join(", ")
      return yield* new Broken({
        expected: `the handler to have ${expected} within ${Duration.format(longest)}`,
        seen: `that it had seen: ${events}`
      })
    }
    yield* Effect.sleep("10 millis")
  }
})

export const started = (place: Place, id: string, observer?: Observer) =>
  eventually(place, id, "started", ({ events }) => events.includes("started"), observer)

export const interrupted = (place: Place, id: string, observer?: Observer) =>
  eventually(place, id, "been interrupted", ({ events }) => events.includes("interrupted"), observer)

/** Waits until a stream has ended, in whatever way. */
export const ended = (place: Place, id: string, observer?: Observer) =>
  eventually(place, id, "ended", ({ events }) => events.length >= 2, observer)

/**
 * Tries with more and more time until a handler has started within it, as it may not on a busy machine; gives its id.
 */
export const startedWithin = Effect.fnUntraced(function*<E>(
  place: Place,
  attempt: (id: string, budget: Duration.Duration) => Effect.Effect<void, E>,
  observer: Observer = place.probe
) {
  for (const budget of [Duration.millis(300), Duration.seconds(2), longest]) {
    const id = yield* newId
    yield* attempt(id, budget)
    const { events } = yield* all(place, id, observer)
    if (events.length > 0) return id
  }
  return yield* new Broken({
    expected: `the handler of a call to start within ${Duration.format(longest)}`,
    seen: "that it had seen nothing"
  })
})

const longest = Duration.seconds(8)
