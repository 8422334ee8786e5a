import { assert, describe, it } from "@effect/vitest"
import { Batch } from "chorale"
import { Cause, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { random } from "./fixtures/batch.ts"

class Bad extends Schema.TaggedError<Bad>()("Bad", { item: Schema.Int }) {}

const schedules = 10_000

/** The turns of the event loop after which a call that has no answer is one that is left waiting. */
const patience = 400

const turns = (count: number) => Effect.repeat(Effect.yieldNow, { times: count })

/** One random program of callers that come, wait and leave, against a random batch. */
const schedule = Effect.fnUntraced(function*(seed: number) {
  const next = random(seed)
  const below = (limit: number) => Math.floor(next() * limit)
  const executors = 1 + below(3)
  const isolate = next() < 0.3
  const maxSize = 1 + below(6)
  const maxQueue = next() < 0.3 ? below(4) : 1000
  const holds = next() < 0.2
  let running = 0
  let mostRunning = 0
  const answered = new Map<number, number>()

  const run = (items: ReadonlyArray<number>) => {
    const length = below(4)
    const end = next()
    return Effect.suspend(() => {
      mostRunning = Math.max(mostRunning, ++running)
      if (end < 0.05) return Effect.die("a bug")
      if (end < 0.1) return Effect.fail(new Bad({ item: -1 }))
      const results = items.map((item) => item % 7 === 3 ? Batch.failed(new Bad({ item })) : item * 2)
      return Effect.as(length === 0 ? Effect.void : turns(length), results)
    }).pipe(Effect.onExit(() =>
      Effect.sync(() => {
        running--
      })
    ))
  }

  const scope = yield* Scope.make()
  const call = yield* Scope.provide(
    Batch.make({
      run,
      executors,
      isolate,
      maxSize,
      maxQueue,
      priority: (item: number) => item % 3,
      group: (item) => item % 5 === 0,
      cost: (item) => 1 + item % 4,
      maxCost: 5,
      ...holds ? { hold: { minSize: 3, maxDelay: 2 } } : {}
    }),
    scope
  )
  const callers = Array.from({ length: 2 + below(20) }, (_, item) => ({
    item,
    comes: below(12),
    leaves: next() < 0.3 ? below(20) : undefined
  }))
  const closes = next() < 0.1 ? below(20) : undefined
  const fibers = yield* Effect.forEach(callers, ({ comes, item }) =>
    Effect.forkChild(Effect.andThen(
      turns(comes),
      Effect.onExit(call(item), () => Effect.sync(() => answered.set(item, (answered.get(item) ?? 0) + 1)))
    )))
  for (let turn = 0; turn < 20; turn++) {
    for (const { item, leaves } of callers) {
      if (leaves === turn) fibers[item]?.interruptUnsafe()
    }
    if (turn === closes) yield* Scope.close(scope, Exit.void)
    yield* Effect.yieldNow
  }
  for (let turn = 0; turn < patience && fibers.some((fiber) => fiber.pollUnsafe() === undefined); turn++) {
    // The time in which a hold ends.
    if (holds && turn % 20 === 19) yield* TestClock.adjust(2)
    yield* Effect.yieldNow
  }

  const about = `schedule ${seed}`
  for (const { item, leaves } of callers) {
    const exit = fibers[item]?.pollUnsafe()
    assert.isDefined(exit, `${about}: call ${item} was left waiting`)
    if (exit === undefined) continue
    assert.isAtMost(answered.get(item) ?? 0, 1, `${about}: call ${item} was answered twice`)
    if (Exit.isSuccess(exit)) {
      assert.strictEqual(exit.value, item * 2, about)
      continue
    }
    if (Exit.hasInterrupts(exit)) {
      assert.isDefined(leaves, `${about}: call ${item} was interrupted and nobody did`)
      continue
    }
    const error = Cause.squash(exit.cause)
    if (error instanceof Bad && error.item !== -1) assert.strictEqual(error.item, item, about)
    if (item % 7 !== 3 && error instanceof Bad) assert.strictEqual(error.item, -1, about)
  }
  assert.isAtMost(mostRunning, executors, `${about}: more runs at a time than executors`)
  yield* turns(10)
  const stats = yield* call.stats
  assert.deepStrictEqual([stats.waiting, stats.running, running], [0, 0, 0], `${about}: something is left`)
  if (closes === undefined) yield* allExecutorsAreThere(call, executors, about)
  yield* Scope.close(scope, Exit.void)
})

/** Calls as many groups as there are executors, and wants every one of them answered. */
const allExecutorsAreThere = Effect.fnUntraced(
  function*(call: Batch.Batched<number, number, unknown>, executors: number, about: string) {
    const last = yield* Effect.forkChild(
      Effect.forEach(
        Array.from({ length: executors }, (_, index) => 1000 + index * 7),
        (item) => Effect.exit(call(item)),
        {
          concurrency: "unbounded"
        }
      )
    )
    for (let turn = 0; turn < patience && last.pollUnsafe() === undefined; turn++) {
      if (turn % 20 === 19) yield* TestClock.adjust(2)
      yield* Effect.yieldNow
    }
    assert.isDefined(last.pollUnsafe(), `${about}: an executor is lost`)
    yield* Fiber.interrupt(last)
  }
)

describe("Batch under generated schedules of arrivals, failures and interruptions", () => {
  it.effect(
    `loses, repeats or forgets no call, and keeps every executor, in ${schedules} of them`,
    () =>
      Effect.forEach(Array.from({ length: schedules }, (_, seed) => seed), schedule, {
        concurrency: 100,
        discard: true
      }),
    120_000
  )
})
