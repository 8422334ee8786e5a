/** Calls for a time, one after another or at a rate, and what became of them. */
import { Effect, FiberSet, Semaphore } from "effect"

/** How calls are made. */
export interface Load {
  /** Calls a second, whether earlier ones have ended or not; without it each begins when one before it ends. */
  readonly rate: number | undefined
  /** The most calls at a time. */
  readonly concurrency: number | undefined
  /** In milliseconds. */
  readonly duration: number
}

/** What became of the calls: how long each took in milliseconds, and how many ended in which way. */
export interface Outcome {
  readonly latencies: ReadonlyArray<number>
  readonly outcomes: ReadonlyMap<string, number>
  /** How long it all took, in milliseconds. */
  readonly elapsed: number
}

/** Calls for the duration, and waits for the calls that are still running then. `call` says how it ended. */
export const run = Effect.fnUntraced(function*<R>(call: Effect.Effect<string, never, R>, load: Load) {
  const latencies: Array<number> = []
  const outcomes = new Map<string, number>()
  const begin = performance.now()
  /** The time counts from when the call was due: a queue in front of a slow server is not left out. */
  const measured = (due: number) =>
    Effect.map(call, (outcome) => {
      latencies.push(performance.now() - due)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    })
  const end = begin + load.duration
  yield* load.rate === undefined
    ? inTurn(measured, load.concurrency ?? 1, end)
    : atRate(measured, load, load.rate, begin)
  const result: Outcome = { latencies, outcomes, elapsed: performance.now() - begin }
  return result
})

const inTurn = <R>(measured: (due: number) => Effect.Effect<void, never, R>, concurrency: number, end: number) =>
  Effect.forEach(
    Array.from({ length: concurrency }),
    () =>
      Effect.whileLoop({
        while: () => performance.now() < end,
        body: () => Effect.suspend(() => measured(performance.now())),
        step: () => undefined
      }),
    { concurrency: "unbounded", discard: true }
  )

const atRate = Effect.fnUntraced(function*<R>(
  measured: (due: number) => Effect.Effect<void, never, R>,
  { concurrency, duration }: Load,
  rate: number,
  begin: number
) {
  const calls = yield* FiberSet.make()
  const slots = yield* Semaphore.make(concurrency ?? Number.MAX_SAFE_INTEGER)
  const total = Math.max(1, Math.round(duration / 1000 * rate))
  for (let made = 0; made < total; made++) {
    const due = begin + made * 1000 / rate
    const early = due - performance.now()
    if (early > 0) yield* Effect.sleep(early)
    yield* FiberSet.run(calls, slots.withPermit(measured(due)))
  }
  yield* FiberSet.awaitEmpty(calls)
}, Effect.scoped)
