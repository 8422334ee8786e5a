/** A server that can be overloaded, in virtual time: what it does with more calls than it can take. */
import { Deadline } from "chorale"
import { Context, Effect, type Fiber, Layer, Semaphore } from "effect"
import { TestClock } from "effect/testing"
import { makeWork, start, tagOf, Work } from "./work.ts"

/** A service that works on so many calls at a time, which may change, and keeps all others waiting inside. */
export const makeServer = (workers: () => number, millis: () => number) => {
  const semaphore = Semaphore.makeUnsafe(workers())
  return makeWork(({ id }) =>
    Effect.andThen(
      Effect.suspend(() => Semaphore.resize(semaphore, workers())),
      Semaphore.withPermit(semaphore, Effect.as(Effect.suspend(() => Effect.sleep(millis())), id))
    )
  )
}

export interface Load {
  /** Calls a second; they come at even distances. */
  readonly rate: number
  readonly seconds: number
  /** What each call has, in milliseconds. */
  readonly deadline: number
}

export interface Outcome {
  readonly tag: string
  readonly millis: number
}

/** Calls as they come, whatever becomes of those before them. */
export const openLoop = Effect.fnUntraced(function*<E>(layer: Layer.Layer<Work, E>, { deadline, rate, seconds }: Load) {
  const work = Context.get(yield* Layer.build(layer), Work)
  const outcomes: Array<Outcome> = []
  const fibers: Array<Fiber.Fiber<unknown>> = []
  const call = (id: number) =>
    Effect.clockWith((clock) => {
      const begun = clock.currentTimeMillisUnsafe()
      const done = (tag: string) => outcomes.push({ tag, millis: clock.currentTimeMillisUnsafe() - begun })
      return Effect.match(Deadline.within(work.run({ id, millis: 0 }), deadline), {
        onSuccess: () => done("answered"),
        onFailure: (error) => done(tagOf(error))
      })
    })
  for (let id = 0; id < rate * seconds; id++) {
    fibers.push(yield* start(call(id)))
    yield* TestClock.adjust(1000 / rate)
  }
  yield* TestClock.adjust(deadline)
  return outcomes
})

export const quantile = (outcomes: ReadonlyArray<Outcome>, part: number): number =>
  outcomes.map(({ millis }) => millis).toSorted((a, b) => a - b)[Math.floor((outcomes.length - 1) * part)] ?? 0
