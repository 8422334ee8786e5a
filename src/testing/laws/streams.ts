/** Law 6: streams. */
import { Effect, Fiber, Stream } from "effect"
import { Exhausted } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const law = (name: string, check: Law["check"], needs: Law["needs"] = []): Law =>
  lawsOf(6)(name, check, ["streams", ...needs])

const upTo = (to: number): ReadonlyArray<number> => Array.from({ length: to }, (_, index) => index + 1)

const deliversItems = Effect.fnUntraced(function*({ probe, relay }: Place) {
  const id = yield* Expect.newId
  for (const to of [1, 2, 1000]) {
    yield* Expect.same(upTo(to), yield* Stream.runCollect(probe.count({ id, to })), `the items of a stream of ${to}`)
  }
  yield* Expect.same(upTo(200), yield* Stream.runCollect(relay.count({ id, to: 200 })), "the items over two hops")
})

const deliversNone = Effect.fnUntraced(function*({ probe }: Place) {
  const empty = probe.flood({ id: yield* Expect.newId, items: 0, length: 0 })
  const items = yield* Expect.endsSoon("the end of a stream without items")(Stream.runCollect(empty))
  yield* Expect.same([], items, "the items of a stream without items")
})

const deliversAtOnce = Effect.fnUntraced(function*({ probe }: Place) {
  const id = yield* Expect.newId
  const first = Stream.runCollect(Stream.take(probe.drip({ id }), 1))
  yield* Expect.same([1], yield* Expect.endsSoon("the first item, while the next one is not there")(first), "the items")
})

const endsWithError = Effect.fnUntraced(function*({ probe, relay }: Place) {
  const refusal = new Exhausted()
  for (const service of [probe, relay]) {
    const seen: Array<number> = []
    const read = Stream.runForEach(
      service.countAndRefuse({ to: 200, refusal }),
      (item) => Effect.sync(() => seen.push(item))
    )
    yield* Expect.same(refusal, yield* Expect.failureOf(read, "Exhausted"), "the failure of the stream")
    yield* Expect.same(upTo(200), seen, "the items before the failure")
  }
})

const stopsProducer = Effect.fnUntraced(function*(place: Place) {
  for (const service of [place.probe, place.relay]) {
    const id = yield* Expect.newId
    const some = Stream.runCollect(Stream.take(service.count({ id, to: 1_000_000_000 }), 5))
    yield* Expect.same(upTo(5), yield* Expect.endsSoon("a stream that is closed early")(some), "the items taken")
    yield* Sightings.ended(place, id, service)
  }
})

const floodItems = 4000
const floodLength = 16 * 1024

/** Reads ten items and no more; the producer has to come to rest long before it is done. */
const holdsBack = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  let read = 0
  const reader = yield* place.probe.flood({ id, items: floodItems, length: floodLength }).pipe(
    Stream.runForEach(() => Effect.suspend(() => ++read === 10 ? Effect.never : Effect.void)),
    Effect.forkScoped
  )
  const resting = (before: number): Effect.Effect<number, unknown> =>
    Effect.flatMap(
      Effect.delay(Sightings.all(place, id), "200 millis"),
      ({ produced }) => produced === before && produced > 0 ? Effect.succeed(produced) : resting(produced)
    )
  const produced = yield* resting(0)
  yield* Expect.holds(
    produced < floodItems,
    `a producer of ${floodItems} items of ${floodLength} bytes to wait for a reader that took ten`,
    `that it had produced ${produced}`
  )
  yield* Fiber.interrupt(reader)
  yield* Sightings.ended(place, id)
})

const feedsAnother = Effect.fnUntraced(function*({ probe, relay }: Place) {
  const numbers = relay.count({ id: yield* Expect.newId, to: 100 })
  const doubled = Stream.mapEffect(numbers, (n) => probe.double({ n }), { concurrency: 8 })
  yield* Expect.same(upTo(100).map((n) => 2 * n), yield* Stream.runCollect(doubled), "the answers to the items")
})

const streamsBeside = Effect.fnUntraced(function*({ probe }: Place) {
  const id = yield* Expect.newId
  const streams = Effect.replicateEffect(Stream.runCollect(probe.count({ id, to: 50 })), 20, {
    concurrency: "unbounded"
  })
  for (const items of yield* streams) yield* Expect.same(upTo(50), items, "the items of one stream of twenty at once")
})

export const laws: ReadonlyArray<Law> = [
  law("a stream delivers exactly its items in order, over one hop and two", deliversItems),
  law("a stream without items ends", deliversNone),
  law("an item arrives when it is there, not when the stream ends", deliversAtOnce),
  law("the error of a stream arrives typed, after all items, over one hop and two", endsWithError, ["errors"]),
  law("closing a stream early stops its producer, over one hop and two", stopsProducer),
  law("a producer waits for a slow reader", holdsBack),
  law("a stream of one service feeds another", feedsAnother),
  law("streams at the same time do not mix", streamsBeside)
]
