/** What callers see of a service with several replicas. */
import { assert, describe, it } from "@effect/vitest"
import { Deadline, Resources, ServiceError } from "chorale"
import {
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Random,
  Schedule,
  Scope,
  Stream,
  Tracer
} from "effect"
import { TestClock } from "effect/testing"
import { ReplicaEnd } from "../src/internal/replicaEnd.ts"
import * as Replicas from "../src/Replicas.ts"
import { CannotStart, makeStage, replica, type Stage, Work } from "./fixtures/replicas.ts"

type Options = Partial<Parameters<typeof Replicas.layer<Work, "test/Work", never, never, never>>[1]>

/** The service and its controller, built on a stage. */
const build = Effect.fnUntraced(function*(stage: Stage, options: Options = {}) {
  const context = yield* Layer.build(Replicas.layer(Work, { ...options, replica: replica(stage) }))
  return { work: Context.get(context, Work), replicas: Context.get(context, Replicas.of(Work)) }
})

const tagOf = (error: unknown) => error instanceof ServiceError.ServiceError ? error.reason._tag : String(error)

const unavailable = new ServiceError.Unavailable({ detail: "gone for a test" })

/** Waits without jitter, so that a test can say when. */
const exact = { respawn: { backoff: Schedule.exponential("100 millis") } }

const states = (status: ReadonlyArray<Replicas.Status>) =>
  Object.fromEntries(status.map(({ name, state }) => [name, state]))

describe("Replicas.layer", () => {
  it.effect("starts its replicas at the same time and takes calls when all are ready", () =>
    Effect.gen(function*() {
      const stage: Stage = { ...makeStage(), startMillis: 1000 }
      const building = yield* Effect.forkScoped(build(stage, { replicas: 3 }))
      yield* TestClock.adjust(999)
      assert.isUndefined(building.pollUnsafe())
      yield* TestClock.adjust(1)
      const { replicas, work } = yield* Fiber.join(building)
      assert.strictEqual(stage.lives.length, 3)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready", 2: "ready" })
      assert.include(["0", "1", "2"], yield* work.work({ millis: 0 }))
    }))

  it.effect("has as many replicas as were granted, each with its own GPUs", () =>
    Effect.gen(function*() {
      const grants: Array<Resources.Grant> = []
      const stage = makeStage()
      const layer = Replicas.layer(Work, {
        replica: (index) =>
          Layer.unwrap(Effect.map(Resources.Grant, (grant) => {
            grants[index] = grant
            return replica(stage)(index)
          }))
      })
      const grant = { replicas: 2, threads: 3, gpus: [[0, 1], [2, 3]] }
      yield* Layer.build(Layer.provide(layer, Layer.succeed(Resources.Grant, grant)))
      assert.deepStrictEqual(grants, [
        { replicas: 1, threads: 3, gpus: [[0, 1]] },
        { replicas: 1, threads: 3, gpus: [[2, 3]] }
      ])
    }))

  it.effect("holds replicas to no grant where there is none", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      let isGranted: boolean | undefined
      const layer = Replicas.layer(Work, {
        replica: (index) =>
          Layer.unwrap(Effect.map(Effect.context<never>(), (context) => {
            isGranted = Context.getOrUndefined(context, Resources.Grant) !== undefined
            return replica(stage)(index)
          }))
      })
      yield* Layer.build(layer)
      assert.isFalse(isGranted)
      assert.strictEqual(stage.lives.length, 1)
    }))

  it.effect("asks for the resources of all its replicas", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const WorkLive = Replicas.layer(Work, { replica: replica(stage) }).pipe(
        Resources.require({ cpu: 1, replicas: { min: 1, max: 8 } })
      )
      const planned = WorkLive.pipe(
        Layer.provide(Resources.layer([WorkLive])),
        Layer.provide(Resources.layerMachine({ cpu: 3, memory: "1 GiB", gpus: [] }))
      )
      const work = Context.get(yield* Layer.build(planned), Work)
      assert.strictEqual(stage.lives.length, 3)
      assert.include(["0", "1", "2"], yield* work.work({ millis: 0 }))
    }))

  it.effect("fails with the error of a replica that cannot start, when the others have been released", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      stage.broken.add("1")
      const error = yield* Effect.flip(build(stage, { replicas: 3 }))
      assert.instanceOf(error, CannotStart)
      assert.isNotEmpty(stage.lives)
      assert.isTrue(stage.lives.every(({ isReleased }) => isReleased))
    }))

  it.effect("releases its replicas with its scope", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const scope = yield* Scope.make()
      const { work } = yield* build(stage, { replicas: 2 }).pipe(Scope.provide(scope))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(stage.lives.every(({ isReleased }) => isReleased))
      const error = yield* Effect.flip(work.work({ millis: 0 }))
      assert.include(error.message, "released")
    }))

  it("refuses numbers that make no sense", () => {
    const layerOf = replica(makeStage())
    for (const replicas of [0, 1.5, NaN, Infinity]) {
      assert.throws(() => Replicas.layer(Work, { replica: layerOf, replicas }), RangeError)
    }
    assert.throws(() => Replicas.layer(Work, { replica: layerOf, maxInFlight: 0 }), RangeError)
    assert.throws(() => Replicas.layer(Work, { replica: layerOf, maxQueue: -1 }), RangeError)
  })

  it.effect("sends a call to the replica with fewer calls in flight", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { work } = yield* build(stage, { replicas: 2 })
      const calls = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 20 }), () => work.work({ millis: 100 }), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust(100)
      yield* Fiber.join(calls)
      assert.deepStrictEqual(stage.lives.map(({ most }) => most), [10, 10])
    }))

  it.effect("draws the same replicas from the same seed", () =>
    Effect.gen(function*() {
      const run = Effect.gen(function*() {
        const { work } = yield* build(makeStage(), { replicas: 5 })
        return yield* Effect.forEach(Array.from({ length: 20 }), () => work.work({ millis: 0 }))
      }).pipe(Effect.scoped)
      const [first, second, other] = [
        yield* Random.withSeed(run, "a"),
        yield* Random.withSeed(run, "a"),
        yield* Random.withSeed(run, "b")
      ]
      assert.deepStrictEqual(first, second)
      assert.notDeepEqual(first, other)
      assert.strictEqual(new Set(first).size, 5)
    }))

  it.effect("says in the span of a call which replica took it and how long it waited", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const { work } = yield* build(makeStage(), { replicas: 1, maxInFlight: 1 })
      const calls = yield* Effect.forkChild(
        Effect.all([work.work({ millis: 50 }), work.work({ millis: 50 })], { concurrency: 2 }).pipe(
          Effect.withTracer(tracer)
        )
      )
      yield* TestClock.adjust(100)
      yield* Fiber.join(calls)
      const attributes = spans.filter(({ name }) => name === "test/Work.work").map(({ attributes }) => [
        attributes.get("chorale.replica"),
        attributes.get("chorale.queue_ms")
      ])
      assert.deepStrictEqual(attributes, [["0", undefined], ["0", 50]])
    }))
})

describe("a full set of replicas", () => {
  it.effect("works on as many calls as it may, lets as many wait as it may, and refuses the next at once", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { work } = yield* build(stage, { replicas: 2, maxInFlight: 3, maxQueue: 4 })
      const call = Effect.exit(work.work({ millis: 100 }))
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () => Effect.forkChild(call, { startImmediately: true })
      )
      const error = yield* Effect.flip(work.work({ millis: 100 }))
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.strictEqual(error.service, "test/Work")
      assert.strictEqual(error.method, "work")
      yield* TestClock.adjust(200)
      const exits = yield* Fiber.joinAll(fibers)
      assert.isTrue(exits.every(Exit.isSuccess))
      assert.isTrue(stage.lives.every(({ most }) => most === 3))
      yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkChild(call, { startImmediately: true }))
      const later = yield* Effect.flip(work.work({ millis: 100 }))
      assert.deepStrictEqual(
        later.reason,
        new ServiceError.Overloaded({ retryAfter: Duration.millis(Math.ceil(100 * 5 / 6)) })
      )
    }))

  it.effect("lets the deadline of a call go on while it waits", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { work } = yield* build(stage, { replicas: 1, maxInFlight: 1 })
      const running = yield* Effect.forkChild(work.work({ millis: 1000 }), { startImmediately: true })
      const late = yield* Effect.forkChild(Effect.flip(work.work({ millis: 0 }).pipe(Deadline.within("200 millis"))), {
        startImmediately: true
      })
      yield* TestClock.adjust(200)
      const error = yield* Fiber.join(late)
      assert.strictEqual(error.reason._tag, "DeadlineExceeded")
      yield* TestClock.adjust(800)
      assert.strictEqual(yield* Fiber.join(running), "0")
      assert.strictEqual(stage.lives[0]?.calls, 1)
      assert.strictEqual(yield* work.work({ millis: 0 }), "0")
    }))

  it.effect("gives the turn of a caller that left to the next", () =>
    Effect.gen(function*() {
      const { replicas, work } = yield* build(makeStage(), { replicas: 1, maxInFlight: 1 })
      const fork = Effect.forkChild(work.work({ millis: 100 }), { startImmediately: true })
      const [running, leaving, next] = [yield* fork, yield* fork, yield* fork]
      yield* Fiber.interrupt(leaving)
      yield* Fiber.interrupt(running)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(next), "0")
      assert.strictEqual((yield* replicas.status)[0]?.inFlight, 0)
    }))

  it.effect("keeps the slot of a call whose caller left until the replica has finished", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 1, maxInFlight: 1 })
      const load = stage.lives[0]?.load
      assert.isDefined(load)
      const leaving = yield* Effect.forkChild(
        work.work({ millis: 100 }),
        { startImmediately: true }
      )
      if (load !== undefined) load.abandoned++
      yield* Fiber.interrupt(leaving)
      const next = yield* Effect.forkChild(work.work({ millis: 0 }), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(next.pollUnsafe())
      assert.strictEqual((yield* replicas.status)[0]?.inFlight, 1)
      if (load !== undefined) load.abandoned--
      load?.onFreed()
      assert.strictEqual(yield* Fiber.join(next), "0")
    }))

  it.effect("counts a stream until it has ended, failed or been closed", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 1, maxInFlight: 1 })
      const inFlight = Effect.map(replicas.status, (status) => status[0]?.inFlight)
      const whole = yield* Effect.forkChild(Stream.runCollect(work.count({ to: 3, millis: 10 })), {
        startImmediately: true
      })
      const next = yield* Effect.forkChild(work.work({ millis: 0 }), { startImmediately: true })
      yield* TestClock.adjust(20)
      assert.strictEqual(yield* inFlight, 1)
      assert.isUndefined(next.pollUnsafe())
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(whole), [1, 2, 3])
      assert.strictEqual(yield* Fiber.join(next), "0")
      assert.strictEqual(yield* inFlight, 0)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(work.count({ to: 3, millis: 0 }), 1)), [1])
      assert.strictEqual(yield* inFlight, 0)
      const [life] = stage.lives
      if (life !== undefined) life.fails = unavailable
      assert.strictEqual(tagOf(yield* Effect.flip(Stream.runDrain(work.count({ to: 3, millis: 0 })))), "Unavailable")
      assert.strictEqual(yield* inFlight, 0)
    }))
})

describe("the health of replicas", () => {
  it.effect("leaves out a replica that does not answer, and takes it back when a call on it succeeds", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 2 })
      const [bad, good] = stage.lives
      assert.isTrue(bad !== undefined && good !== undefined)
      if (bad === undefined || good === undefined) return
      bad.fails = unavailable
      yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(work.work({ millis: 0 })))
      assert.strictEqual(bad.calls, 3)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ejected", 1: "ready" })
      assert.strictEqual((yield* replicas.status)[0]?.failures, 3)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(tagOf(yield* Effect.flip(work.work({ millis: 0 }))), "Unavailable")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* work.work({ millis: 0 }), "1")
      yield* TestClock.adjust("1 second")
      bad.fails = undefined
      assert.strictEqual(yield* work.work({ millis: 0 }), "0")
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready" })
    }))

  it.effect("does not eject for what a model says, for defects, overload or deadlines", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 2, eject: { after: 1 } })
      const reasons = [
        new ServiceError.Overloaded({ retryAfter: Duration.zero }),
        new ServiceError.DeadlineExceeded({ budget: Duration.zero }),
        new ServiceError.ContractMismatch({ detail: "" })
      ]
      for (const reason of reasons) {
        for (const life of stage.lives) life.fails = reason
        yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.exit(work.work({ millis: 0 })))
      }
      for (const life of stage.lives) life.fails = undefined
      for (let index = 0; index < 10; index++) {
        yield* Effect.forkChild(work.work({ millis: 100 }), { startImmediately: true }).pipe(
          Effect.flatMap(Fiber.interrupt)
        )
      }
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready" })
    }))

  it.effect("does not eject for a service that the replica itself could not reach", () =>
    Effect.gen(function*() {
      const behind = new ServiceError.ServiceError({ service: "test/Other", method: "x", reason: unavailable })
      const layer = Replicas.layer(Work, {
        replica: () => Work.toLayer({ work: () => Effect.fail(behind), count: () => Stream.fail(behind) }),
        replicas: 2,
        eject: { after: 1 }
      })
      const context = yield* Layer.build(layer)
      const work = Context.get(context, Work)
      yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.exit(work.work({ millis: 0 })))
      const { status } = Context.get(context, Replicas.view(Work))
      assert.deepStrictEqual(states(yield* status), { 0: "ready", 1: "ready" })
    }))

  it.effect("never ejects the last one: its own error reaches the caller", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 2 })
      for (const life of stage.lives) life.fails = unavailable
      const errors = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.flip(work.work({ millis: 0 })))
      assert.isTrue(errors.every((error) => error.message.includes("gone for a test")))
      assert.sameMembers((yield* replicas.status).map(({ state }) => state), ["ready", "ejected"])
    }))

  it.effect("asks an ejected replica with a probe and spends no call on it", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      let probes = 0
      const { replicas, work } = yield* Effect.map(
        Layer.build(Replicas.layer(Work, {
          replica: replica(stage),
          replicas: 2,
          probe: {
            call: (work) => Effect.andThen(Effect.sync(() => probes++), work.work({ millis: 0 })),
            interval: 500
          }
        })),
        (context) => ({ work: Context.get(context, Work), replicas: Context.get(context, Replicas.of(Work)) })
      )
      const [bad] = stage.lives
      if (bad !== undefined) bad.fails = unavailable
      yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(work.work({ millis: 0 })))
      yield* TestClock.adjust(999)
      assert.strictEqual(probes, 0)
      yield* TestClock.adjust(501)
      assert.strictEqual(probes, 2)
      const answers = yield* Effect.forEach(Array.from({ length: 20 }), () => work.work({ millis: 0 }))
      assert.isTrue(answers.every((answer) => answer === "1"))
      if (bad !== undefined) bad.fails = undefined
      yield* TestClock.adjust(500)
      assert.strictEqual(probes, 3)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(probes, 3)
    }))
})

describe("a replica that ends", () => {
  it.effect("makes its own calls Unavailable and no others, and comes back after the time to wait", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 2, ...exact })
      const calls = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () => Effect.forkChild(Effect.exit(work.work({ millis: 50 })), { startImmediately: true })
      )
      stage.lives[0]?.end("killed for a test")
      assert.strictEqual((yield* replicas.status)[0]?.state, "starting")
      assert.isTrue(stage.lives[0]?.isReleased)
      const next = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () => Effect.forkChild(work.work({ millis: 50 }), { startImmediately: true })
      )
      yield* TestClock.adjust(50)
      const exits = yield* Fiber.joinAll(calls)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 5)
      assert.isTrue((yield* Fiber.joinAll(next)).every((name) => name === "1"))
      yield* TestClock.adjust(49)
      assert.strictEqual(stage.lives.length, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual(stage.lives.length, 3)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready" })
      assert.strictEqual((yield* replicas.status)[0]?.restarts, 1)
      assert.strictEqual((yield* replicas.status)[0]?.calls, 5)
      assert.strictEqual((yield* replicas.status)[0]?.failures, 5)
    }))

  it.effect("is waited for where it was the only one, and its calls are Unavailable after the time to connect", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { work } = yield* build(stage, { replicas: 1, ...exact })
      stage.lives[0]?.end("killed for a test")
      const waiting = yield* Effect.forkChild(work.work({ millis: 0 }), { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(waiting), "0")
      stage.startMillis = 60_000
      stage.lives[1]?.end("killed once more")
      const late = yield* Effect.forkChild(Effect.flip(work.work({ millis: 0 })), { startImmediately: true })
      const earlier = yield* Effect.forkChild(
        Effect.flip(work.work({ millis: 0 }).pipe(Deadline.within("1 second"))),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(earlier)).reason._tag, "DeadlineExceeded")
      yield* TestClock.adjust(999)
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust(1)
      const error = yield* Fiber.join(late)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.include(error.message, "2s")
      assert.include(error.message, "killed once more")
    }))

  it.effect("is built again after 100 milliseconds, then 200, 400, up to 10 seconds, a fifth more or less", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      yield* build(stage, { replicas: 1, respawn: { crashLoop: { times: 20, within: "10 minutes" } } })
      const waits: Array<number> = []
      for (let index = 0; index < 10; index++) {
        const before = stage.lives.length
        stage.lives.at(-1)?.end("killed for a test")
        let waited = 0
        while (stage.lives.length === before && waited < 20_000) {
          yield* TestClock.adjust(10)
          waited += 10
        }
        waits.push(waited)
      }
      for (const [index, waited] of waits.entries()) {
        const expected = Math.min(10_000, 100 * 2 ** index)
        assert.isAtLeast(waited, expected * 0.8)
        assert.isAtMost(waited, expected * 1.2 + 10)
      }
      assert.isAbove(new Set(waits.slice(-3)).size, 1)
    }))

  it.effect("waits the shortest time again after it has been up for long enough", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      yield* build(stage, { replicas: 1, ...exact })
      for (const time of [100, 200]) {
        stage.lives.at(-1)?.end("killed for a test")
        yield* TestClock.adjust(time)
      }
      assert.strictEqual(stage.lives.length, 3)
      yield* TestClock.adjust("1 minute")
      stage.lives.at(-1)?.end("killed for a test")
      yield* TestClock.adjust(100)
      assert.strictEqual(stage.lives.length, 4)
    }))

  it.effect("fails for good after ending five times within a minute, and says why", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 1, ...exact })
      for (let index = 1; index < 5; index++) {
        stage.lives.at(-1)?.end(`end ${index}`)
        yield* TestClock.adjust(100 * 2 ** (index - 1))
        assert.strictEqual(stage.lives.length, index + 1)
      }
      const waiting = yield* Effect.forkChild(Effect.exit(work.work({ millis: 5000 })), { startImmediately: true })
      stage.lives.at(-1)?.end("the last end")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "failed" })
      const error = yield* Effect.flip(work.work({ millis: 0 }))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.include(error.message, "all replicas have failed (1)")
      assert.include(error.message, "the last end")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(stage.lives.length, 5)
      yield* replicas.set(1)
      assert.strictEqual(yield* work.work({ millis: 0 }), "0")
    }))

  it.effect("counts attempts that could not be built as ends, and gives up where its schedule does", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, {
        replicas: 1,
        respawn: { backoff: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)]) }
      })
      stage.broken.add("0")
      stage.lives[0]?.end("killed for a test")
      const waiting = yield* Effect.forkChild(Effect.flip(work.work({ millis: 0 })), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "starting" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "failed" })
      assert.include((yield* Fiber.join(waiting)).message, "CannotStart")
    }))

  it.effect("is not said to be ready while it is being released", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas } = yield* build(stage, { replicas: 2, ...exact })
      stage.releaseMillis = 1000
      stage.lives[0]?.end("killed for a test")
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "starting", 1: "ready" })
      stage.releaseMillis = 0
      yield* TestClock.adjust(1100)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready" })
    }))

  it.effect("may end before it was ever ready, and does not keep the layer waiting", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      let starts = 0
      const layer = Replicas.layer(Work, {
        replica: () =>
          Layer.unwrap(Effect.map(ReplicaEnd, ({ ended }) => {
            if (starts++ === 0) ended(unavailable)
            return replica(stage)("late")
          })),
        ...exact
      })
      const work = Context.get(yield* Layer.build(layer), Work)
      const waiting = yield* Effect.forkChild(work.work({ millis: 0 }), { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(waiting), "late")
      assert.strictEqual(starts, 2)
    }))

  it.effect("is waited for while it comes back, also where the others have failed for good", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, {
        replicas: 2,
        respawn: { backoff: Schedule.spaced("100 millis"), crashLoop: { times: 2, within: "1 minute" } }
      })
      stage.lives[1]?.end("killed for a test")
      yield* TestClock.adjust(100)
      stage.lives[2]?.end("killed for a test")
      stage.lives[0]?.end("killed for a test")
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "starting", 1: "failed" })
      const waiting = yield* Effect.forkChild(work.work({ millis: 0 }), { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(waiting), "0")
    }))

  it.effect("does not let a call wait for a replica that will be tried later than there is none", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, {
        replicas: 2,
        maxInFlight: 1,
        eject: { after: 1, from: "1 minute" },
        ...exact
      })
      for (const life of stage.lives) life.fails = unavailable
      yield* Effect.exit(work.work({ millis: 0 }))
      for (const life of stage.lives) life.fails = undefined
      yield* Effect.forkChild(Effect.exit(work.work({ millis: 60_000 })), { startImmediately: true })
      const waiting = yield* Effect.forkChild(Effect.flip(work.work({ millis: 0 })), { startImmediately: true })
      stage.startMillis = 60_000
      const ejected = (yield* replicas.status).find(({ state }) => state === "ejected")
      for (const life of stage.lives.toSorted((life) => life.name === ejected?.name ? -1 : 1)) {
        life.end("killed for a test")
      }
      yield* TestClock.adjust(1999)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(tagOf(yield* Fiber.join(waiting)), "Unavailable")
    }))

  it.effect("leaves the others working when one has failed for good", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, {
        replicas: 2,
        respawn: { crashLoop: { times: 1, within: "1 minute" } }
      })
      stage.lives[0]?.end("killed for a test")
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "failed", 1: "ready" })
      assert.strictEqual(yield* work.work({ millis: 0 }), "1")
      assert.isFalse(stage.lives[1]?.isReleased)
    }))
})

describe("Replicas.of", () => {
  it.effect("starts more, and lets those too many finish their calls and streams before they go", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 1 })
      yield* replicas.set(3)
      assert.strictEqual(stage.lives.length, 3)
      const calls = yield* Effect.forEach(
        Array.from({ length: 9 }),
        () => Effect.forkChild(work.work({ millis: 1000 }), { startImmediately: true })
      )
      const streams = yield* Effect.forEach(
        Array.from({ length: 3 }),
        () => Effect.forkChild(Stream.runCollect(work.count({ to: 4, millis: 500 })), { startImmediately: true })
      )
      yield* replicas.set(1)
      assert.sameMembers((yield* replicas.status).map(({ state }) => state), ["ready", "draining", "draining"])
      yield* TestClock.adjust(1000)
      yield* Fiber.joinAll(calls)
      assert.isFalse(stage.lives.some(({ isReleased, running }) => isReleased && running > 0))
      yield* TestClock.adjust(1000)
      for (const items of yield* Fiber.joinAll(streams)) assert.deepStrictEqual(items, [1, 2, 3, 4])
      assert.strictEqual(stage.lives.filter(({ isReleased }) => isReleased).length, 2)
      assert.strictEqual((yield* replicas.status).length, 1)
    }))

  it.effect("waits for a draining replica no longer than it may", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 2, drainTimeout: "5 seconds" })
      yield* Effect.forEach([1, 2], () => Effect.forkChild(work.work({ millis: 60_000 }), { startImmediately: true }))
      yield* replicas.set(1)
      yield* TestClock.adjust(4999)
      assert.isFalse(stage.lives.some(({ isReleased }) => isReleased))
      yield* TestClock.adjust(1)
      assert.strictEqual(stage.lives.filter(({ isReleased }) => isReleased).length, 1)
    }))

  it.effect("keeps a replica that still drains when more are wanted again", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 2 })
      const calls = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(work.work({ millis: 1000 }), { startImmediately: true }))
      yield* replicas.set(1)
      yield* replicas.set(2)
      assert.deepStrictEqual(states(yield* replicas.status), { 0: "ready", 1: "ready" })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.joinAll(calls)
      assert.strictEqual(stage.lives.length, 2)
      assert.isFalse(stage.lives.some(({ isReleased }) =>
        isReleased
      ))
    }))

  it.effect("starts a replica of the same index when the one before has been released", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas } = yield* build(stage, { replicas: 2 })
      stage.releaseMillis = 1000
      yield* replicas.set(1)
      yield* TestClock.adjust(500)
      yield* replicas.set(2)
      yield* TestClock.adjust(499)
      assert.strictEqual(stage.lives.length, 2)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(stage.lives.map(({ isReleased, name }) => [name, isReleased]), [
        ["0", false],
        ["1", true],
        ["1", false]
      ])
      stage.releaseMillis = 0
    }))

  it.effect("keeps one that still drains rather than to start another", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 3 })
      yield* Effect.forEach(Array.from({ length: 30 }), () =>
        Effect.forkChild(Effect.exit(work.work({ millis: 1000 })), { startImmediately: true }))
      stage.startMillis = 60_000
      stage.lives[0]?.end("killed for a test")
      yield* replicas.set(1)
      yield* replicas.set(2)
      assert.deepStrictEqual(
        states((yield* replicas.status).filter(({ name }) =>
          name !== "0"
        )),
        { 1: "ready", 2: "ready" }
      )
    }))

  it.effect("keeps the ones that are ready where others are not", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas, work } = yield* build(stage, { replicas: 3 })
      stage.startMillis = 60_000
      stage.lives[0]?.end("killed for a test")
      stage.lives[1]?.end("killed for a test")
      yield* replicas.set(1)
      assert.deepStrictEqual(states((yield* replicas.status).filter(({ state }) => state !== "draining")), {
        2: "ready"
      })
      assert.strictEqual(yield* work.work({ millis: 0 }), "2")
    }))

  it.effect("takes the last of several numbers set at the same time", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas } = yield* build(stage, { replicas: 1 })
      yield* Effect.forEach([5, 2, 7, 3], (count) => replicas.set(count), { concurrency: "unbounded" })
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* replicas.status).filter(({ state }) => state === "ready").length, 3)
      assert.strictEqual(stage.lives.filter(({ isReleased }) => !isReleased).length, 3)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(replicas.set(0))))
    }))

  it.effect("fails no call while the number changes all the time", () =>
    Effect.gen(function*() {
      const stage = { ...makeStage(), startMillis: 30 }
      const building = yield* Effect.forkChild(build(stage, { replicas: 2, maxInFlight: 4 }))
      yield* TestClock.adjust(30)
      const { replicas, work } = yield* Fiber.join(building)
      const caller = Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) =>
          index % 5 === 0
            ? Effect.asVoid(Stream.runCollect(work.count({ to: 3, millis: 5 })))
            : Effect.asVoid(work.work({ millis: 5 + index % 7 }))
      )
      const callers = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 40 }), () => caller, { concurrency: "unbounded" })
      )
      const scaling = yield* Effect.forkChild(
        Effect.forever(Effect.forEach([5, 1, 3, 8, 2, 1, 4], (count) => Effect.delay(replicas.set(count), 17)))
      )
      for (let index = 0; index < 400 && callers.pollUnsafe() === undefined; index++) yield* TestClock.adjust(20)
      yield* Fiber.join(callers)
      yield* Fiber.interrupt(scaling)
      assert.isAbove(stage.lives.length, 20)
      assert.isTrue(stage.lives.every(({ most }) => most <= 4))
      const status = yield* replicas.status
      assert.isTrue(status.every(({ inFlight }) => inFlight === 0))
      assert.strictEqual(stage.lives.reduce((calls, life) => calls + life.calls, 0), 4000)
    }))

  it.effect("tells of changes", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const { replicas } = yield* build(stage, { replicas: 1, ...exact })
      const seen: Array<unknown> = []
      const started = yield* Deferred.make<void>()
      yield* Effect.forkScoped(Stream.runForEach(replicas.changes, (status) => {
        seen.push(states(status))
        return Deferred.succeed(started, undefined)
      }))
      yield* Deferred.await(started)
      stage.lives[0]?.end("killed for a test")
      yield* TestClock.adjust(0)
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(seen[0], { 0: "ready" })
      assert.deepInclude(seen, { 0: "starting" })
      assert.deepStrictEqual(seen.at(-1), { 0: "ready" })
    }))
})
