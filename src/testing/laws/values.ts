/** Law 1: results are equal. */
import { Duration, Effect, Option } from "effect"
import * as Tensor from "../../Tensor.ts"
import type { EveryDtype, EveryRank, EveryValue } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"

const law = lawsOf(1)

const echoesDtypes = Effect.fnUntraced(function*({ probe }: Place) {
  const sent = everyDtype()
  yield* Expect.same(sent, yield* probe.dtypes(sent), "the answer")
})

const echoesRanks = Effect.fnUntraced(function*({ probe }: Place) {
  for (const n of [0, 1, 2, 3, 7, 8, 9]) {
    const sent = everyRank(n)
    yield* Expect.same(sent, yield* probe.ranks(sent), `the answer of size ${n}`)
  }
})

const echoesValues = Effect.fnUntraced(function*({ probe, relay }: Place) {
  yield* Expect.same(values, yield* probe.values(values), "the answer")
  yield* Expect.same(values, yield* relay.values(values), "the answer over two hops")
})

const keepsPayload = Effect.fnUntraced(function*({ probe }: Place) {
  const sent = everyDtype()
  yield* Effect.replicateEffect(probe.dtypes(sent), 16, { concurrency: "unbounded", discard: true })
  yield* Expect.same(everyDtype(), sent, "the payload after 16 calls with it at once")
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
  law("tensors of every dtype come back as they were", echoesDtypes),
  law("tensors of every rank and of no elements come back as they were", echoesRanks),
  law("numbers, bigints, bytes, dates, options, unions and empty arrays come back as they were", echoesValues),
  law("a payload is left as it was, and may be in several calls at once", keepsPayload),
  law("answers stay what they are while others arrive", keepsAnswers)
]

const everyDtype = (): typeof EveryDtype.Type => ({
  float32: Tensor.make("float32", [2, 3], Float32Array.of(NaN, -0, Infinity, -Infinity, 1e-45, 0.1)),
  float64: Tensor.make("float64", [2, 3], Float64Array.of(NaN, -0, Infinity, -Infinity, 5e-324, 0.1)),
  float16: Tensor.make("float16", [2, 3], Uint16Array.of(0x7e00, 0x8000, 0x7c00, 0xfc00, 1, 0x3c00)),
  int8: Tensor.make("int8", [2, 3], Int8Array.of(-128, 127, 0, 1, -1, 7)),
  uint8: Tensor.make("uint8", [2, 3], Uint8Array.of(0, 255, 1, 2, 3, 4)),
  int16: Tensor.make("int16", [2, 3], Int16Array.of(-32768, 32767, 0, 1, -1, 7)),
  uint16: Tensor.make("uint16", [2, 3], Uint16Array.of(0, 65535, 1, 2, 3, 4)),
  int32: Tensor.make("int32", [2, 3], Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1, -1, 7)),
  uint32: Tensor.make("uint32", [2, 3], Uint32Array.of(0, 2 ** 32 - 1, 1, 2, 3, 4)),
  int64: Tensor.make("int64", [2, 3], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n, -1n, 2n ** 53n + 1n)),
  uint64: Tensor.make("uint64", [2, 3], BigUint64Array.of(0n, 2n ** 64n - 1n, 1n, 2n, 3n, 2n ** 53n + 1n)),
  bool: Tensor.make("bool", [2, 3], Uint8Array.of(0, 1, 1, 0, 1, 0))
})

const everyRank = (n: number): typeof EveryRank.Type => ({
  scalar: Tensor.make("float64", [], Float64Array.of(n)),
  vector: Tensor.make("float32", [n], Float32Array.from({ length: n }, (_, index) => index / 3)),
  matrix: Tensor.make("int64", [n, 3], BigInt64Array.from({ length: 3 * n }, (_, index) => BigInt(index))),
  cube: Tensor.make("uint8", [2, n, 1], Uint8Array.from({ length: 2 * n }, (_, index) => index))
})

const values: typeof EveryValue.Type = {
  numbers: [NaN, -0, 0, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, 5e-324, 1.7976931348623157e308],
  integers: [0n, -1n, 2n ** 64n, -(2n ** 200n)],
  bytes: [new Uint8Array(0), Uint8Array.of(0, 255), Uint8Array.from({ length: 1000 }, (_, index) => index % 256)],
  dates: [new Date(0), new Date(1_234_567_890_123), new Date(-1), new Date(8.64e15)],
  durations: [Duration.zero, Duration.millis(1500), Duration.nanos(1n), Duration.infinity],
  text: ["", "\u0000", "\u{1f600} \u2028", "\"\\\n", "__proto__"],
  flag: false,
  nothing: null,
  present: Option.some(-0),
  absent: Option.none(),
  union: ["", true, { nested: [] }, { nested: [1, 2] }]
}
