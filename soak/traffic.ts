/** Calls of every kind in a fixed mixture, and what must come of each. */
import { ServiceError, Tensor } from "chorale"
import { Effect, Option, Stream } from "effect"
import { deepStrictEqual, ok, strictEqual } from "node:assert"
import { Refused, type Soak } from "./service.ts"

type Call = (soak: Soak["Service"], index: number) => Effect.Effect<void, unknown>

const small: Call = (soak, index) => {
  const text = `${index} `.padEnd(100, "x")
  return Effect.map(soak.text({ text }), (answer) => strictEqual(answer, text))
}

const tensorOf = (elements: number): Call => (soak, index) => {
  const data = new Float32Array(elements)
  data[elements - 1] = index
  return Effect.map(soak.tensor({ tensor: Tensor.make("float32", [elements], data) }), (answer) => {
    strictEqual(answer.data.length, elements)
    strictEqual(answer.data[elements - 1], Math.fround(index))
  })
}

const medium = tensorOf(1024)
const large = tensorOf(150_528)

const stream: Call = (soak) =>
  Effect.map(Stream.runCollect(soak.numbers({ to: 5 })), (numbers) => deepStrictEqual(numbers, [1, 2, 3, 4, 5]))

const closedEarly: Call = (soak) =>
  Effect.map(
    Stream.runCollect(Stream.take(Stream.rechunk(soak.numbers({ to: 1000 }), 1), 2)),
    (numbers) => deepStrictEqual(numbers, [1, 2])
  )

const sentStream: Call = (soak) => Effect.map(soak.sum({ numbers: Stream.make(1, 2, 3) }), (sum) => strictEqual(sum, 6))

const interrupted: Call = (soak) =>
  Effect.map(Effect.timeoutOption(soak.wait(), "1 millis"), (answer) => ok(Option.isNone(answer)))

const failed: Call = (soak, index) =>
  Effect.map(Effect.flip(soak.refuse({ at: index })), (error) => {
    ok(error instanceof Refused)
    strictEqual(error.at, index)
  })

const invalid: Call = (soak) =>
  // A caller in JavaScript can send what the types forbid.
  Effect.map(Effect.flip(soak.text({ text: 7 as unknown as string })), (error) => {
    ok(error instanceof ServiceError.ServiceError)
    strictEqual(error.reason._tag, "InvalidPayload")
  })

/** What is called in turn; all other calls are small. */
const kinds: ReadonlyMap<number, Call> = new Map([
  [3, medium],
  [11, stream],
  [17, failed],
  [23, medium],
  [29, closedEarly],
  [31, sentStream],
  [37, interrupted],
  [41, invalid],
  [43, medium]
])

/** The call of an index, which is the same every time; those of 101, 301, 501 ... carry 600 KB. */
export const call: Call = (soak, index) => (index % 200 === 101 ? large : kinds.get(index % 50) ?? small)(soak, index)

/** Makes the calls from one index up to another, so many at a time; fails with the first that is not as it must be. */
export const run = (soak: Soak["Service"], from: number, to: number, inFlight: number): Effect.Effect<void, unknown> =>
  Effect.forEach(
    Array.from({ length: inFlight }, (_, lane) => from + lane),
    Effect.fnUntraced(function*(first) {
      for (let index = first; index < to; index += inFlight) yield* call(soak, index)
    }),
    { concurrency: "unbounded", discard: true }
  )
