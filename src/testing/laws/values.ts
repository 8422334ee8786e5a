/** Law 1: results are equal. */
import { Effect } from "effect"
import type { EveryDtype, EveryValue } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Samples from "./samples.ts"

const law = lawsOf(1)

const echoesDtypes = (dtypes: () => typeof EveryDtype.Type) =>
  Effect.fnUntraced(function*({ probe }: Place) {
    const sent = dtypes()
    yield* Expect.same(sent, yield* probe.dtypes(sent), "the answer")
  })

const echoesRanks = (sizes: ReadonlyArray<number>) =>
  Effect.fnUntraced(function*({ probe }: Place) {
    for (const n of sizes) {
      const sent = Samples.everyRank(n)
      yield* Expect.same(sent, yield* probe.ranks(sent), `the answer of size ${n}`)
    }
  })

const echoesValues = (values: typeof EveryValue.Type) =>
  Effect.fnUntraced(function*({ probe, relay }: Place) {
    yield* Expect.same(values, yield* probe.values(values), "the answer")
    yield* Expect.same(values, yield* relay.values(values), "the answer over two hops")
  })

const keepsPayload = Effect.fnUntraced(function*({ probe }: Place) {
  const sent = Samples.everyDtype()
  yield* Effect.replicateEffect(probe.dtypes(sent), 16, { concurrency: "unbounded", discard: true })
  yield* Expect.same(Samples.everyDtype(), sent, "the payload after 16 calls with it at once")
})

const keepsAnswers = Effect.fnUntraced(function*({ probe }: Place) {
  const bodies = Array.from({ length: 256 }, (_, index) => new Uint8Array(64 + 16 * index).fill(index))
  const answers = yield* Effect.forEach(bodies, (body) => probe.bytes({ body }), { concurrency: 64 })
  yield* Effect.forEach(
    bodies,
    (body, index) => Expect.same(body, answers[index], `answer ${index} of 256 once all are there`)
  )
})

export const laws: ReadonlyArray<Law> = [
  law("tensors of every dtype come back as they were", echoesDtypes(Samples.everyDtype), ["tensors"]),
  law("tensors keep NaN, -0, the infinities and the largest integers", echoesDtypes(Samples.extremes), [
    "tensors",
    "numbers"
  ]),
  law("tensors of every rank come back as they were", echoesRanks([1, 2, 3, 7, 8, 9]), ["tensors"]),
  law("tensors of no elements come back with their sizes", echoesRanks([0]), ["tensors", "emptiness"]),
  law(
    "numbers, bigints, bytes, dates, options, unions and empty arrays come back as they were",
    echoesValues(Samples.values),
    [
      "values"
    ]
  ),
  law("numbers are NaN, -0 and infinite where they were", echoesValues(Samples.extremeValues), ["values", "numbers"]),
  law("a payload is left as it was, and may be in several calls at once", keepsPayload, ["tensors"]),
  law("answers stay what they are while others arrive", keepsAnswers)
]
