/** Generated orders of calls, interruptions and time, and what becomes of the calls. */
import { Deadline, Traffic } from "chorale"
import { Effect, type Fiber, Scheduler, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { outcome, start, type Work } from "./work.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** A call begins, one of those begun is interrupted, or time passes. */
const Step = Schema.Union([
  Schema.Struct({
    _tag: Schema.tag("Call"),
    millis: between(0, 30),
    deadline: between(0, 60),
    priority: between(0, 2),
    kind: between(0, 5)
  }),
  Schema.Struct({ _tag: Schema.tag("Interrupt"), which: between(0, 20) }),
  Schema.Struct({ _tag: Schema.tag("Wait"), millis: between(0, 20) })
])
export type Step = typeof Step.Type

export const steps = Schema.Array(Step).check(Schema.isMinLength(6), Schema.isMaxLength(24))

/** Lets a schedule happen; gives the outcome of each call, and those that were interrupted while they waited. */
export const play = Effect.fnUntraced(function*(
  steps: ReadonlyArray<Step>,
  call: (id: number, step: Step & { readonly _tag: "Call" }) => Effect.Effect<unknown, unknown>
) {
  const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
  const interrupted = new Set<number>()
  // In two thirds of the runs fibers take turns after a few of their steps, where else they go on until they wait.
  const turns = [5, 9, 2048][steps.length % 3] ?? 2048
  for (const step of steps) {
    switch (step._tag) {
      case "Call": {
        const bounded = step.deadline > 40
          ? call(fibers.length, step)
          : Deadline.within(call(fibers.length, step), step.deadline)
        fibers.push(
          yield* start(bounded.pipe(
            Effect.provideService(Traffic.Priority, step.priority),
            Effect.provideService(Scheduler.MaxOpsBeforeYield, turns)
          ))
        )
        break
      }
      case "Interrupt": {
        // Not waited for, so that what comes next meets a call that is leaving.
        if (fibers[step.which] !== undefined && outcome(fibers[step.which]!) === "waits") interrupted.add(step.which)
        fibers[step.which]?.interruptUnsafe()
        break
      }
      case "Wait":
        yield* TestClock.adjust(step.millis)
    }
  }
  // Fibers that take turns need more of them than one step of the clock gives.
  for (let round = 0; round < 400 && (round < 2 || fibers.some((fiber) => outcome(fiber) === "waits")); round++) {
    yield* TestClock.adjust(20)
  }
  return { outcomes: fibers.map(outcome), interrupted }
})

/** So many schedules. */
export const runs = (count: number) => ({ arbitrary: { runs: count }, timeout: 60_000 })

/** A call of either kind. */
export const callOf =
  (work: Work["Service"]) => (id: number, { kind, millis }: { readonly kind: number; readonly millis: number }) =>
    kind === 0 ? Stream.runDrain(work.items({ id, millis, count: 2 })) : work.run({ id, millis })
