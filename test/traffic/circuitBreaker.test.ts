import { assert, describe, it } from "@effect/vitest"
import { ServiceError, Traffic } from "chorale"
import { Context, Duration, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type Behaviour, makeWork, outcome, Refused, start, tagOf, Work } from "./work.ts"

const down = new ServiceError.Unavailable({ detail: "down" })

/** A service that does what it is told with each call, behind a circuit that opens after 3 failures for a second. */
const withCircuit = <A, E>(
  use: (
    call: (behaviour: Behaviour) => Effect.Effect<string>,
    seen: ReturnType<typeof makeWork>["seen"],
    work: Work["Service"]
  ) => Effect.Effect<A, E>,
  options: Traffic.CircuitBreakerOptions<never> = { trip: 3, openFor: 1000 }
) =>
  Effect.suspend(() => {
    let behaviour: Behaviour = () => Effect.succeed(1)
    const { layer, seen } = makeWork((call) => behaviour(call))
    return Effect.flatMap(Work, (work) =>
      use(
        (next) =>
          Effect.suspend(() => {
            behaviour = next
            return Effect.exit(work.run({ id: seen.started.length, millis: 0 }))
          }).pipe(Effect.map((exit) =>
            Exit.isSuccess(exit) ?
              "answered" :
              tagOf(exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error : reason._tag)[0])
          )),
        seen,
        work
      )).pipe(Effect.provide(layer.pipe(Traffic.circuitBreaker(options))))
  })

const fails: Behaviour = () => Effect.fail(down)
const answers: Behaviour = ({ id }) => Effect.succeed(id)

describe("Traffic.circuitBreaker", () => {
  it.effect("opens at the third failure in a row, and refuses without calling", () =>
    withCircuit(Effect.fnUntraced(function*(call, seen, work) {
      yield* call(fails)
      yield* call(fails)
      yield* call(answers)
      yield* call(fails)
      yield* call(fails)
      assert.strictEqual(seen.started.length, 5)
      yield* call(fails)
      const error = yield* Effect.flip(work.run({ id: 9, millis: 0 }))
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(tagOf(error), "Unavailable")
      assert.include(error.message, "its circuit is open for another 1s")
      assert.strictEqual(seen.started.length, 6)
    })))

  it.effect("lets one call through exactly when its time is over, and closes when that succeeds", () =>
    withCircuit(Effect.fnUntraced(function*(call, seen, work) {
      for (let failures = 0; failures < 3; failures++) yield* call(fails)
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* call(answers), "Unavailable")
      yield* TestClock.adjust(1)
      const probe = yield* start(call(({ id }) => Effect.as(Effect.sleep(10), id)))
      assert.strictEqual(outcome(yield* start(work.run({ id: 0, millis: 0 }))), "Unavailable")
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(probe), "answered")
      assert.strictEqual(yield* call(answers), "answered")
      assert.strictEqual(seen.started.length, 5)
    })))

  it.effect("opens again when the call that it lets through fails", () =>
    withCircuit(Effect.fnUntraced(function*(call) {
      for (let failures = 0; failures < 3; failures++) yield* call(fails)
      yield* TestClock.adjust(1000)
      yield* call(fails)
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* call(answers), "Unavailable")
    })))

  it.effect.each(
    [
      ["errors of the model", () => Effect.fail(new Refused({ id: 1 })), "Refused"],
      ["refusals", () => Effect.fail(new ServiceError.Overloaded({ retryAfter: Duration.zero })), "Overloaded"],
      ["payloads that do not fit", () => Effect.fail(new ServiceError.InvalidPayload({ issue: "" })), "InvalidPayload"],
      ["defects", () => Effect.die("a bug"), "Die"],
      [
        "failures of a service behind it",
        () => Effect.fail(new ServiceError.ServiceError({ service: "other", method: "m", reason: down })),
        "Unavailable"
      ]
    ] satisfies ReadonlyArray<[string, Behaviour, string]>
  )("stays closed after %s", ([, behaviour, tag]) =>
    withCircuit(Effect.fnUntraced(function*(call, seen) {
      for (let failures = 0; failures < 10; failures++) assert.strictEqual(yield* call(behaviour), tag)
      assert.strictEqual(seen.started.length, 10)
    })))

  it.effect("opens where so large a part of the calls failed", () =>
    withCircuit(
      Effect.fnUntraced(function*(call, seen) {
        for (let pairs = 0; pairs < 5; pairs++) {
          yield* call(answers)
          yield* call(fails)
        }
        assert.strictEqual(yield* call(answers), "Unavailable")
        assert.strictEqual(seen.started.length, 10)
      }),
      { trip: { rate: 0.5, size: 10 }, openFor: 1000 }
    ))

  it.effect("counts a stream when it ends, and refuses streams too", () =>
    Effect.gen(function*() {
      const { layer } = makeWork()
      const context = yield* Layer.build(
        layer.pipe(Traffic.deadline(50), Traffic.circuitBreaker({ trip: 2, openFor: 1000 }))
      )
      const work = Context.get(context, Work)
      const stream = (millis: number) => Stream.runDrain(work.items({ id: 1, millis, count: 2 }))
      const outcomes: Array<string> = []
      for (const millis of [30, 10, 30, 30, 10]) {
        const fiber = yield* start(stream(millis))
        yield* TestClock.adjust(60)
        outcomes.push(outcome(fiber))
      }
      assert.deepStrictEqual(outcomes, [
        "DeadlineExceeded",
        "answered",
        "DeadlineExceeded",
        "DeadlineExceeded",
        "Unavailable"
      ])
      yield* TestClock.adjust(1000)
      const probe = yield* start(stream(10))
      yield* TestClock.adjust(20)
      assert.strictEqual(outcome(probe), "answered")
    }))

  it.effect("lets another try when the call that it let through is interrupted", () =>
    withCircuit(Effect.fnUntraced(function*(call, _, work) {
      for (let failures = 0; failures < 3; failures++) yield* call(fails)
      yield* TestClock.adjust(1000)
      const probe = yield* start(Stream.runDrain(work.items({ id: 7, millis: 1000, count: 2 })))
      yield* Fiber.interrupt(probe)
      assert.strictEqual(yield* call(answers), "answered")
    })))
})
