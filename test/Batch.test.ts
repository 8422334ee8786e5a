import { assert, describe, it } from "@effect/vitest"
import { Batch, Deadline, Resources } from "chorale"
import {
  Cause,
  Clock,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Metric,
  Option,
  Schema,
  Scope,
  Tracer
} from "effect"
import { d, pass, simulated, turns } from "./fixtures/batch.ts"

class Bad extends Schema.TaggedError<Bad>()("Bad", { item: Schema.Int }) {}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

const forkAll = <Item, A, E>(call: (item: Item) => Effect.Effect<A, E>, items: ReadonlyArray<Item>) =>
  Effect.forEach(items, (item) => Effect.forkChild(call(item), { startImmediately: true }))

const answers = <A, E>(fibers: ReadonlyArray<Fiber.Fiber<A, E>>) =>
  Effect.forEach(fibers, (fiber) => Effect.exit(Fiber.join(fiber)))

const reasons = <A, E>(exits: ReadonlyArray<Exit.Exit<A, E>>) =>
  exits.map((exit) => Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause))

describe("Batch.make", () => {
  it.effect("runs calls that come together as one, and answers each with its own result", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      const fibers = yield* forkAll(call, numbers(5))
      yield* pass(d(5))
      assert.deepStrictEqual(reasons(yield* answers(fibers)), numbers(5))
      assert.deepStrictEqual(model.sizes(), [5])
    }))

  it.effect("waits for calls that come a turn later, once calls have come together, and no longer without one", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      yield* forkAll(call, numbers(2))
      yield* pass(d(2))
      for (const item of numbers(4)) {
        yield* forkAll(call, [item])
        yield* Effect.yieldNow
      }
      assert.deepStrictEqual(model.sizes(), [2])
      yield* turns
      assert.deepStrictEqual(model.sizes(), [2, 4])
      assert.strictEqual((yield* call.stats).running, 1)
    }))

  it.effect("lets no turn pass for a caller who is alone, and runs what is called in one step together", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      const step = Effect.promise(() => Promise.resolve())
      yield* forkAll(call, [0])
      yield* step
      assert.deepStrictEqual(model.sizes(), [1])
      yield* pass(d(1))
      yield* forkAll(call, numbers(3))
      yield* step
      assert.deepStrictEqual(model.sizes(), [1, 3])
      yield* pass(d(3))
      yield* forkAll(call, [0])
      yield* step
      assert.deepStrictEqual(model.sizes(), [1, 3])
      yield* turns
      assert.deepStrictEqual(model.sizes(), [1, 3, 1])
    }))

  it.effect("takes what waits as soon as the executor is free", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      yield* forkAll(call, [0])
      yield* pass(1)
      yield* forkAll(call, numbers(3, 1))
      yield* pass(4)
      yield* forkAll(call, numbers(2, 4))
      yield* pass(100)
      assert.deepStrictEqual(model.seen.map(({ at, items }) => [at, items]), [[0, [0]], [d(1), numbers(5, 1)]])
    }))

  it.effect("fills a run exactly to its size and starts another for the one beyond", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, maxSize: 8 })
      yield* forkAll(call, numbers(8))
      assert.deepStrictEqual(model.sizes(), [8])
      yield* pass(d(8))
      yield* forkAll(call, numbers(9))
      yield* pass(100)
      assert.deepStrictEqual(model.sizes(), [8, 8, 1])
    }))

  it.effect("has as many runs at a time as there are replicas, each with an equal share", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, maxSize: 4 }).pipe(
        Effect.provideService(Resources.Grant, { replicas: 3, threads: 1, gpus: [] })
      )
      yield* forkAll(call, numbers(7))
      yield* turns
      assert.deepStrictEqual(model.sizes(), [3, 2, 2])
      yield* forkAll(call, numbers(5, 7))
      yield* turns
      assert.strictEqual((yield* call.stats).running, 3)
      assert.strictEqual((yield* call.stats).waiting, 5)
      yield* pass(d(2))
      assert.deepStrictEqual(model.sizes(), [3, 2, 2, 4, 1])
    }))

  it.effect("runs a higher priority first, and calls of one priority in their order", () =>
    Effect.gen(function*() {
      const model = simulated<string>()
      const priorities: Record<string, number> = { h: 2, l: -1, m: 1 }
      const call = yield* Batch.make({
        run: model.run,
        maxSize: 2,
        priority: (item) => priorities[item.charAt(0)] ?? 0
      })
      yield* forkAll(call, ["first", "second", "l1", "u1", "h1", "u2", "m1", "h2", "m2", "l2"])
      yield* pass(200)
      assert.deepStrictEqual(model.seen.flatMap(({ items }) => items), [
        "first",
        "second",
        "h1",
        "h2",
        "m1",
        "m2",
        "u1",
        "u2",
        "l1",
        "l2"
      ])
    }))

  it.effect("fills a run by cost, and runs what costs more than a run alone", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, cost: (item: number) => item, maxCost: 10 })
      yield* forkAll(call, [10])
      yield* forkAll(call, [4, 6, 1, 25, 3, 3, 4, 1])
      yield* pass(200)
      assert.deepStrictEqual(model.seen.map(({ items }) => items), [[10], [4, 6], [1], [25], [3, 3, 4], [1]])
    }))

  it.effect.each(
    [
      ["a cost that is no number", { cost: () => NaN }],
      ["a cost that is not finite", { cost: () => Infinity }],
      ["a priority that is no number", { priority: () => NaN }]
    ] satisfies ReadonlyArray<[string, { readonly cost?: () => number; readonly priority?: () => number }]>
  )("refuses %s, and leaves nothing of the call behind", ([, options]) =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ run: simulated<number>().run, ...options })
      const [fiber] = yield* forkAll(call, [1])
      yield* Fiber.interrupt(fiber!)
      assert.isTrue(Exit.hasDies(yield* Fiber.await(fiber!)))
      assert.strictEqual((yield* call.stats).waiting, 0)
    }))

  it.effect("cuts an item that is too large, and joins the results of its parts", () =>
    Effect.gen(function*() {
      const model = simulated<ReadonlyArray<number>>()
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<ReadonlyArray<number>>) =>
          Effect.map(model.run(items), (lists) =>
            lists.map((list) =>
              list.includes(13) ? Batch.failed(new Bad({ item: 13 })) : list.map((item) => item * 2)
            )),
        cost: (item: ReadonlyArray<number>) => item.length,
        maxCost: 4,
        oversized: {
          split: (item, most) =>
            Array.from(
              { length: Math.ceil(item.length / most) },
              (_, index) => item.slice(index * most, (index + 1) * most)
            ),
          join: (results) => results.flat()
        }
      })
      const fibers = yield* forkAll(call, [numbers(10), [1, 2], numbers(14), [3]])
      yield* pass(500)
      assert.deepStrictEqual(reasons(yield* answers(fibers)), [
        numbers(10).map((item) => item * 2),
        [2, 4],
        new Bad({ item: 13 }),
        [6]
      ])
      assert.isTrue(model.seen.every(({ items }) => items.flat().length <= 4))
      const stats = yield* call.stats
      assert.deepStrictEqual([stats.waiting, stats.running], [0, 0])
    }))

  it.effect("does not run the other parts of a call of which one has failed", () =>
    Effect.gen(function*() {
      const model = simulated<string>()
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<string>) =>
          Effect.as(model.run(items), items.map((item) => item === "bad" ? Batch.failed(new Bad({ item: 0 })) : item)),
        cost: (item: string) => item.length,
        maxCost: 4,
        oversized: { split: (item) => item.split(" "), join: (results) => results.join("+") }
      })
      const fibers = yield* forkAll(call, ["bad good good", "good fine"])
      yield* pass(200)
      assert.deepStrictEqual(reasons(yield* answers(fibers)), [new Bad({ item: 0 }), "good+fine"])
      const ended = model.seen.filter(({ interrupted }) => !interrupted)
      assert.deepStrictEqual(ended.map(({ items }) => items), [["bad"], ["good"], ["fine"]])
      assert.lengthOf(model.seen, 4)
    }))

  it.effect("runs only items of the same group together", () =>
    Effect.gen(function*() {
      const model = simulated<string>()
      const call = yield* Batch.make({ run: model.run, group: (item: string) => item.charAt(0) })
      yield* forkAll(call, ["a1", "b1", "a2", "b2", "a3"])
      yield* pass(100)
      assert.deepStrictEqual(model.seen.map(({ items }) => items), [["a1", "a2", "a3"], ["b1", "b2"]])
    }))

  it.effect("fails a bad item alone", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) =>
          Effect.succeed(items.map((item) => item === 2 ? Batch.failed(new Bad({ item })) : item * 10))
      })
      const fibers = yield* forkAll(call, numbers(4))
      yield* turns
      assert.deepStrictEqual(reasons(yield* answers(fibers)), [0, 10, new Bad({ item: 2 }), 30])
    }))

  it.effect("fails all calls of a run that fails, and no others", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) => items.includes(2) ? new Bad({ item: 2 }) : Effect.succeed(items),
        maxSize: 4
      })
      const fibers = yield* forkAll(call, numbers(8))
      yield* turns
      const bad = new Bad({ item: 2 })
      assert.deepStrictEqual(reasons(yield* answers(fibers)), [bad, bad, bad, bad, 4, 5, 6, 7])
    }))

  it.effect("finds the bad items of a run that fails by running its halves, where that was asked for", () =>
    Effect.gen(function*() {
      const sizes: Array<number> = []
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) => {
          sizes.push(items.length)
          if (items.includes(9)) return Effect.die(new Error("a bug"))
          return items.includes(2) ? new Bad({ item: 2 }) : Effect.succeed(items)
        },
        isolate: true
      })
      const fibers = yield* forkAll(call, numbers(16))
      yield* turns
      const exits = yield* answers(fibers)
      assert.deepStrictEqual(reasons(exits), [
        0,
        1,
        new Bad({ item: 2 }),
        ...numbers(6, 3),
        new Error("a bug"),
        ...numbers(6, 10)
      ])
      assert.deepStrictEqual(sizes, [16, 8, 4, 2, 2, 1, 1, 4, 8, 4, 2, 1, 1, 2, 4])
      assert.strictEqual((yield* call.stats).running, 0)
    }))

  it.effect("leaves out of the second try who has gone meanwhile", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) =>
          Effect.andThen(model.run(items), items.includes(3) ? Effect.fail("bad") : Effect.succeed(items)),
        isolate: true
      })
      const fibers = yield* forkAll(call, numbers(4))
      yield* pass(1)
      yield* Fiber.interruptAll(fibers.slice(0, 2))
      yield* pass(200)
      assert.deepStrictEqual(model.seen.map(({ items }) => items), [numbers(4), [2, 3], [2], [3]])
    }))

  it.effect("makes a number of results that is not that of the items a defect", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ name: "short", run: (_: ReadonlyArray<number>) => Effect.succeed([1]) })
      const fibers = yield* forkAll(call, numbers(2))
      yield* turns
      for (const error of reasons(yield* answers(fibers))) {
        assert.instanceOf(error, RangeError)
        assert.include(String(error), "short: `run` gave 1 results for 2 items")
      }
    }))

  it.effect.each([false, true])(
    "makes a run that gives nothing at all a defect, with `isolate` %s",
    (isolate) =>
      Effect.gen(function*() {
        // A model without types may give nothing.
        const call = yield* Batch.make({
          run: (_: ReadonlyArray<number>) => Effect.succeed(JSON.parse("{}").results),
          isolate
        })
        const fibers = yield* forkAll(call, numbers(2))
        yield* turns
        assert.deepStrictEqual(fibers.map((fiber) => fiber.pollUnsafe() !== undefined), [true, true])
        assert.isTrue((yield* answers(fibers)).every(Exit.hasDies))
      })
  )

  it.effect("takes the item of a caller that leaves out of the queue", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      yield* forkAll(call, [0])
      yield* turns
      const fibers = yield* forkAll(call, numbers(3, 1))
      yield* Fiber.interrupt(fibers[1]!)
      yield* pass(100)
      assert.deepStrictEqual(model.seen.map(({ items }) => items), [[0], [1, 3]])
    }))

  it.effect("goes on for the callers that stay, and is interrupted when the last has gone", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      const fibers = yield* forkAll(call, numbers(3))
      yield* pass(1)
      yield* Fiber.interrupt(fibers[0]!)
      yield* Fiber.interrupt(fibers[1]!)
      yield* turns
      assert.isFalse(model.seen[0]?.interrupted)
      yield* Fiber.interrupt(fibers[2]!)
      yield* turns
      assert.isTrue(model.seen[0]?.interrupted)
      assert.strictEqual((yield* call.stats).running, 0)
      const next = yield* Effect.forkChild(call(7))
      yield* pass(d(1))
      assert.strictEqual(yield* Fiber.join(next), 7)
    }))

  it.effect("interrupts a run whose callers go while it begins", () =>
    Effect.gen(function*() {
      const callers: Array<Fiber.Fiber<unknown, unknown>> = []
      const call = yield* Batch.make({
        run: (_: ReadonlyArray<number>) =>
          Effect.suspend(() => {
            for (const caller of callers) caller.interruptUnsafe()
            return Effect.never
          })
      })
      callers.push(...yield* forkAll(call, numbers(3)))
      yield* turns
      assert.strictEqual((yield* call.stats).running, 0)
    }))

  it.effect("answers thousands of calls of a model that answers at once", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) => Effect.succeed(items),
        maxQueue: 20_000,
        maxSize: 1
      })
      const fibers = yield* Effect.forEach(numbers(10_000), (item) => Effect.forkChild(call(item)))
      assert.deepStrictEqual(yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber)), numbers(10_000))
    }))

  it.effect("goes through a queue of thousands in one go when the model answers at once", () =>
    Effect.gen(function*() {
      const open = yield* Deferred.make<void>()
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) =>
          items[0] === 0 ? Effect.as(Deferred.await(open), items) : Effect.succeed(items),
        maxQueue: 20_000,
        maxSize: 1
      })
      const fibers = yield* forkAll(call, numbers(10_000))
      yield* turns
      assert.strictEqual((yield* call.stats).waiting, 9999)
      yield* Deferred.succeed(open, undefined)
      assert.deepStrictEqual(yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber)), numbers(10_000))
    }))

  it.effect("keeps the executor of a run that is interrupted until it has stopped", () =>
    Effect.gen(function*() {
      const begun: Array<number> = []
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) =>
          Effect.sync(() => begun.push(...items)).pipe(
            Effect.andThen(Effect.uninterruptible(Effect.sleep(50))),
            Effect.as(items)
          )
      })
      const first = yield* forkAll(call, [1])
      yield* turns
      yield* Fiber.interruptAll(first)
      yield* forkAll(call, [2])
      yield* pass(49)
      assert.deepStrictEqual(begun, [1])
      yield* pass(1)
      assert.deepStrictEqual(begun, [1, 2])
      yield* pass(50)
    }))

  it.effect("refuses the call beyond its queue with the time in which the queue drains, and recovers", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, maxSize: 4, maxQueue: 8 })
      for (const size of [4, 2]) {
        yield* forkAll(call, numbers(size))
        yield* pass(d(size))
      }
      const fibers = yield* forkAll(call, numbers(12))
      yield* pass(2)
      const refused = yield* Effect.flip(call(12))
      assert.strictEqual(refused._tag, "Overloaded")
      if (refused._tag === "Overloaded") {
        assert.closeTo(Duration.toMillis(refused.retryAfter), d(4) - 2 + d(4), 1e-6)
      }
      yield* pass(d(4) - 2)
      const after = yield* forkAll(call, numbers(5, 20))
      yield* pass(200)
      assert.deepStrictEqual(reasons(yield* answers(fibers)), numbers(12))
      const last = yield* answers(after)
      assert.deepStrictEqual(last.map(Exit.isSuccess), [true, true, true, true, false])
      assert.strictEqual((yield* call.stats).waiting, 0)
    }))

  it.effect("runs what comes to a free executor although nothing may wait", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, maxSize: 4, maxQueue: 0 })
      const fibers = yield* forkAll(call, numbers(4))
      assert.strictEqual((yield* Effect.flip(call(4)))._tag, "Overloaded")
      yield* pass(d(4))
      assert.deepStrictEqual(reasons(yield* answers(fibers)), numbers(4))
    }))

  it.effect("fits its costs to the runs of late", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ run: simulated<number>().run })
      assert.isUndefined((yield* call.stats).cost)
      for (const size of [1, 5, 9, 30]) {
        yield* forkAll(call, numbers(size))
        yield* pass(d(size))
      }
      const { cost, items, meanSize, runs } = yield* call.stats
      assert.closeTo(cost?.perRun ?? 0, 10, 1e-6)
      assert.closeTo(cost?.perUnit ?? 0, 0.5, 1e-6)
      assert.deepStrictEqual([runs, items, meanSize], [4, 45, 45 / 4])
    }))

  it.effect("rejects limits that make no sense", () =>
    Effect.gen(function*() {
      const { run } = simulated<number>()
      const wrong = [
        { maxSize: 0 },
        { maxSize: 1.5 },
        { executors: 0 },
        { maxQueue: -1 },
        { maxCost: 0 },
        { maxCost: NaN },
        { hold: { minSize: 0, maxDelay: 1 } }
      ]
      for (const options of wrong) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(Batch.make({ run, ...options }))), JSON.stringify(options))
      }
    }))
})

describe("Batch and deadlines", () => {
  /** A batch that has seen runs of several sizes, and knows what they take. */
  const trained = Effect.gen(function*() {
    const model = simulated<number>()
    const call = yield* Batch.make({ run: model.run, maxSize: 4, priority: (item) => item >= 100 ? 1 : 0 })
    for (const size of [1, 2, 3, 4, 1]) {
      yield* forkAll(call, numbers(size))
      yield* pass(d(size))
    }
    model.seen.splice(0)
    return { call, model }
  })

  it.effect("refuse at once what the last runs show to be too late, and take what is just in time", () =>
    Effect.gen(function*() {
      const { call, model } = yield* trained
      yield* forkAll(call, numbers(4))
      yield* turns
      const soonest = d(4) + d(1)
      const late = yield* Effect.flip(call(5).pipe(Deadline.within(soonest - 0.1)))
      assert.strictEqual(late._tag, "DeadlineExceeded")
      const inTime = yield* forkAll((item: number) => call(item).pipe(Deadline.within(soonest + 0.001)), [6])
      yield* pass(soonest)
      assert.deepStrictEqual(reasons(yield* answers(inTime)), [6])
      assert.deepStrictEqual(model.sizes(), [4, 1])
    }))

  it.effect("refuse a call whose deadline no run could keep, even when nothing else waits", () =>
    Effect.gen(function*() {
      const { call } = yield* trained
      assert.strictEqual((yield* Effect.flip(call(1).pipe(Deadline.within(d(1) - 1))))._tag, "DeadlineExceeded")
      assert.strictEqual((yield* Effect.flip(call(1).pipe(Deadline.within(0))))._tag, "DeadlineExceeded")
    }))

  it.effect("let a call through when what speaks against it is old", () =>
    Effect.gen(function*() {
      const { call, model } = yield* trained
      yield* pass(1001)
      yield* forkAll((item: number) => call(item).pipe(Deadline.within(1)), [1])
      yield* turns
      assert.deepStrictEqual(model.sizes(), [1])
    }))

  it.effect("count what waits before a call, which is less for a higher priority", () =>
    Effect.gen(function*() {
      const { call, model } = yield* trained
      yield* forkAll(call, numbers(8))
      yield* turns
      const within = (item: number) => call(item).pipe(Deadline.within(d(4) + d(4) + d(1) - 1))
      assert.strictEqual((yield* Effect.flip(within(8)))._tag, "DeadlineExceeded")
      const urgent = yield* forkAll(within, [100])
      yield* pass(200)
      assert.deepStrictEqual(reasons(yield* answers(urgent)), [100])
      assert.deepStrictEqual(model.seen.map(({ items }) => items), [numbers(4), [100, 4, 5, 6], [7]])
    }))

  it.effect("drop a call that has become too late while it waited, and do not run it", () =>
    Effect.gen(function*() {
      const { call, model } = yield* trained
      model.delay(5)
      yield* forkAll(call, [0])
      yield* turns
      const waiting = yield* forkAll((item: number) => call(item).pipe(Deadline.within(d(1) + d(1) + 1)), [1])
      const others = yield* forkAll(call, [2])
      yield* pass(d(1) + 5)
      assert.propertyVal(reasons(yield* answers(waiting))[0], "_tag", "DeadlineExceeded")
      yield* pass(100)
      assert.deepStrictEqual(reasons(yield* answers(others)), [2])
      assert.deepStrictEqual(model.seen.map(({ items }) => items), [[0], [2]])
    }))

  it.effect("drop a call whose deadline has passed while it waited, where nothing is known of runs", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run })
      yield* forkAll(call, [0])
      yield* turns
      const waiting = yield* forkAll((item: number) => call(item).pipe(Deadline.within(d(1))), [1])
      yield* pass(d(1))
      assert.propertyVal(reasons(yield* answers(waiting))[0], "_tag", "DeadlineExceeded")
      assert.deepStrictEqual(model.sizes(), [1])
    }))

  it.effect("reach the run as that of the caller who has the longest, and none where one caller has none", () =>
    Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) =>
          Effect.map(Effect.service(Deadline.Current), (deadline) => {
            seen.push(deadline?.at)
            return items
          })
      })
      yield* forkAll((millis: number) => call(millis).pipe(Deadline.within(millis)), [30, 70, 50])
      yield* turns
      yield* forkAll(call, [1])
      yield* forkAll((millis: number) => call(millis).pipe(Deadline.within(millis)), [30])
      yield* turns
      assert.deepStrictEqual(seen, [70, undefined])
    }))
})

describe("Batch with a hold", () => {
  it.effect("waits for enough items, and runs them when they are there", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, hold: { minSize: 4, maxDelay: "20 millis" } })
      yield* forkAll(call, numbers(3))
      yield* pass(5)
      assert.deepStrictEqual(model.sizes(), [])
      yield* forkAll(call, numbers(1))
      yield* turns
      assert.deepStrictEqual(model.sizes(), [4])
    }))

  it.effect("holds no item longer than its delay", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, hold: { maxDelay: "20 millis" } })
      yield* forkAll(call, numbers(3))
      yield* pass(15)
      yield* forkAll(call, numbers(1))
      yield* pass(4)
      assert.deepStrictEqual(model.sizes(), [])
      yield* pass(1)
      assert.deepStrictEqual(model.seen.map(({ at, items }) => [at, items.length]), [[20, 4]])
    }))

  it.effect("runs in time for the tightest deadline of those it holds", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, hold: { minSize: 8, maxDelay: "1 second" } })
      for (const size of [8, 10]) {
        yield* forkAll(call, numbers(size))
        yield* pass(d(size))
      }
      model.seen.splice(0)
      const begin = yield* Clock.currentTimeMillis
      const within = (millis: number) => (item: number) => call(item).pipe(Deadline.within(millis))
      yield* forkAll(within(500), [1])
      yield* pass(10)
      const tight = yield* forkAll(within(100), [2])
      yield* pass(300)
      assert.deepStrictEqual(model.sizes(), [2])
      const end = (model.seen[0]?.at ?? 0) - begin + d(2)
      // A twentieth of the 100 milliseconds is left for the answer to travel.
      assert.isAtMost(end, 110 - 5)
      assert.isAtLeast(end, 110 - 5 - 0.1 * d(2) - 1 - 0.5)
      assert.deepStrictEqual(reasons(yield* answers(tight)), [2])
    }))

  it.effect("forgets its timer when the callers that it held have gone", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const call = yield* Batch.make({ run: model.run, hold: { maxDelay: "20 millis" } })
      yield* Fiber.interruptAll(yield* forkAll(call, numbers(2)))
      yield* pass(10)
      yield* forkAll(call, numbers(1))
      yield* pass(15)
      assert.deepStrictEqual(model.sizes(), [])
      yield* pass(5)
      assert.deepStrictEqual(model.sizes(), [1])
    }))
})

describe("Batch around a call", () => {
  it.effect("makes calls that wait, run or come later Unavailable when its scope closes", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const scope = yield* Scope.make()
      const call = yield* Scope.provide(Batch.make({ run: model.run, maxSize: 2 }), scope)
      const fibers = yield* forkAll(call, numbers(3))
      yield* turns
      yield* Scope.close(scope, Exit.void)
      for (const error of reasons(yield* answers(fibers))) assert.propertyVal(error, "_tag", "Unavailable")
      assert.isTrue(model.seen[0]?.interrupted)
      assert.strictEqual((yield* Effect.flip(call(4)))._tag, "Unavailable")
    }))

  it.effect("runs with the services of where it was made, not of who calls", () =>
    Effect.gen(function*() {
      class Model extends Context.Service<Model, string>()("test/Model") {}
      const call = yield* Batch.make({
        run: (items: ReadonlyArray<number>) => Effect.map(Model, (model) => items.map((item) => `${model}${item}`))
      }).pipe(Effect.provideService(Model, "layer"))
      assert.strictEqual(yield* call(1).pipe(Effect.provideService(Model, "caller")), "layer1")
    }))

  it.effect("links the span of each call with that of its run, which says the size and the wait", () =>
    Effect.gen(function*() {
      const model = simulated<number>()
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span(options) {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const call = yield* Batch.make({
        name: "embed",
        run: (items: ReadonlyArray<number>) => Effect.andThen(Effect.currentSpan, model.run(items))
      }).pipe(Effect.withSpan("layer"), Effect.withTracer(tracer))
      const traced = (item: number) => call(item).pipe(Effect.withSpan(`call ${item}`), Effect.withTracer(tracer))
      yield* forkAll(traced, [0])
      yield* pass(4)
      yield* forkAll(traced, [1, 2])
      yield* pass(100)
      const runs = spans.filter(({ name }) => name === "embed")
      const calls = spans.filter(({ name }) => name.startsWith("call"))
      assert.lengthOf(runs, 2)
      assert.isTrue(runs.every(({ parent, status }) => parent._tag === "None" && status._tag === "Ended"))
      assert.deepStrictEqual(runs[1]?.links.map(({ span }) => span), calls.slice(1))
      assert.deepStrictEqual(
        calls.map(({ links }) =>
          links.map(({ attributes, span }) => [runs.findIndex((run) => run === span), attributes])
        ),
        [
          [[0, { "batch.size": 1, "batch.wait_ms": 0 }]],
          [[1, { "batch.size": 2, "batch.wait_ms": d(1) - 4 }]],
          [[1, { "batch.size": 2, "batch.wait_ms": d(1) - 4 }]]
        ]
      )
      assert.strictEqual(runs[1]?.attributes.get("batch.size"), 2)
      assert.strictEqual(runs[1]?.attributes.get("batch.wait_ms"), d(1) - 4)
    }))

  it.effect("interrupts all its runs when it ends", () =>
    Effect.gen(function*() {
      let [begun, interrupted] = [0, 0]
      const run = () =>
        Effect.onInterrupt(
          Effect.andThen(Effect.sync(() => begun++), Effect.never),
          () => Effect.sync(() => interrupted++)
        )
      const scope = yield* Scope.make()
      const call = yield* Batch.make<number, number>({ run, executors: 3, maxSize: 1 }).pipe(Scope.provide(scope))
      yield* forkAll(call, [1, 2, 3])
      assert.strictEqual(begun, 3)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(interrupted, 3)
    }))

  it.effect("has a span for a run where there is a tracer, or it or a call was made in one, and none elsewhere", () =>
    Effect.gen(function*() {
      const batch = Batch.make({
        name: "run",
        run: (items: ReadonlyArray<number>) =>
          Effect.map(
            Effect.option(Effect.currentSpan),
            (span) => items.map(() => Option.match(span, { onNone: () => "none", onSome: ({ name }) => name }))
          )
      })
      const tracer = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
      const alone = yield* batch
      const inSpan = yield* Effect.withSpan(batch, "layer")
      const traced = yield* Effect.withTracer(batch, tracer)
      assert.strictEqual(yield* alone(1), "none")
      assert.strictEqual(yield* Effect.withSpan(alone(1), "call"), "run")
      assert.strictEqual(yield* inSpan(1), "run")
      assert.strictEqual(yield* traced(1), "run")
    }))

  it.effect("tells Effect's metrics the sizes and durations of its runs, and what it refused", () =>
    Effect.gen(function*() {
      const call = yield* Batch.make({ name: "metered", run: simulated<number>().run, maxSize: 4, maxQueue: 0 })
      yield* forkAll(call, numbers(4))
      yield* Effect.flip(call(4))
      yield* pass(d(4))
      const late = yield* Batch.make({ name: "late", run: simulated<number>().run })
      yield* forkAll(late, numbers(1))
      yield* pass(4)
      yield* forkAll(late, numbers(1))
      yield* pass(2 * d(1))
      const snapshot = yield* Metric.snapshot
      const stateOf = (id: string, batch = "metered") =>
        snapshot.find((metric) => metric.id === id && metric.attributes?.["batch"] === batch)?.state
      assert.deepInclude(stateOf("chorale_adaptive_batch_size"), { count: 1, sum: 4 })
      assert.deepInclude(stateOf("chorale_batch_duration_seconds"), { count: 1, sum: d(4) / 1000 })
      assert.deepInclude(stateOf("chorale_batch_wait_seconds"), { count: 1, sum: 0 })
      assert.deepInclude(stateOf("chorale_batch_wait_seconds", "late"), { count: 2, sum: (d(1) - 4) / 1000 })
      assert.deepInclude(stateOf("chorale_batch_refused_total"), { count: 1 })
    }))
})
