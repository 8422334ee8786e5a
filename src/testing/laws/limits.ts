/** Law 12: large payloads, and payloads that are too large. */
import { Effect, Exit } from "effect"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"

const law = lawsOf(12)

const large = 17 * 1024 * 1024

const passesLarge = Effect.fnUntraced(function*({ probe }: Place) {
  const body = new Uint8Array(large)
  body[0] = 1
  body[large - 1] = 2
  const answer = yield* probe.bytes({ body })
  yield* Expect.same(body, answer, "the answer of 17 MiB")
})

const passesLargeAnswer = Effect.fnUntraced(function*({ probe }: Place) {
  yield* Expect.same(large, (yield* probe.grow({ length: large })).byteLength, "the length of the answer")
})

const refusesTooLarge = Effect.fnUntraced(function*(place: Place) {
  const body = new Uint8Array((place.location.maxPayload ?? 0) + 1024)
  yield* Expect.endsSoon("the refusal")(Expect.reasonOf(place.probe.bytes({ body }), "InvalidPayload"))
  yield* Expect.stillAnswers(place)
})

const refusesTooLargeAnswer = Effect.fnUntraced(function*(place: Place) {
  const length = (place.location.maxPayload ?? 0) + 1024
  const exit = yield* Expect.endsSoon("an answer over the limit")(Effect.exit(place.probe.grow({ length })))
  // A limit on what a server takes need not be one on what it gives.
  const passed = Exit.isSuccess(exit) && exit.value.byteLength === length
  const refused = Exit.isFailure(exit) && !Exit.hasInterrupts(exit)
  yield* Expect.holds(passed || refused, "the answer or a failure", () => Expect.describe(exit))
  yield* Expect.stillAnswers(place)
})

export const laws: ReadonlyArray<Law> = [
  law("a payload and an answer of more than 16 MiB pass", passesLarge),
  law("an answer of more than 16 MiB to a small payload passes", passesLargeAnswer),
  law("a payload over the limit is InvalidPayload and disturbs no other call", refusesTooLarge, ["maxPayload"]),
  law("an answer over the limit disturbs no other call", refusesTooLargeAnswer, ["maxPayload"])
]
