import { assert, describe, it } from "@effect/vitest"
import { Resources, ServiceError, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { getPriority } from "node:os"
import type { Worker } from "node:worker_threads"
import * as Session from "../../src/onnx/Session.ts"
import { sessionOptions } from "../../src/onnx/sessionOptions.ts"
import * as Models from "../fixtures/onnx.ts"
import { dying, dyingLater } from "../fixtures/onnxWorker.ts"

const now = { startImmediately: true }

const spin = (iterations: number, first = 1) => ({
  x: Tensor.make("float32", Models.spinShape, new Float32Array(Tensor.size(Models.spinShape)).fill(first)),
  iterations: Tensor.make("int64", [1], BigInt64Array.of(BigInt(iterations)))
})
const short = spin(1)
/** Several hundred milliseconds. */
const long = spin(20_000)
/** Minutes: a test that runs it does not end in time. */
const endless = spin(30_000_000)

const spinning = Effect.fnUntraced(function*(options?: Onnx.Options) {
  return yield* Onnx.session(yield* Models.file(Models.spin()), options)
})

/** The priority of every thread of this process: the 19th field of its `stat`, counted from 1. */
const priorities = (): ReadonlyArray<number> =>
  readdirSync("/proc/self/task").map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8")
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])
  })

const isRunning = <A, E>(fiber: Fiber.Fiber<A, E>) => fiber.pollUnsafe() === undefined

/** The threads that were started and those that have not exited, while the scope lasts. */
const threads = Effect.gen(function*() {
  const count = { started: 0, alive: 0 }
  const onWorker = (worker: Worker) => {
    count.started++
    count.alive++
    worker.prependOnceListener("exit", () => count.alive--)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("worker", onWorker)),
    () => Effect.sync(() => process.off("worker", onWorker))
  )
  return count
})

describe("a call", () => {
  it.live("leaves the event loop free while the model runs", () =>
    Effect.gen(function*() {
      const session = yield* spinning()
      let turns = 0
      const ticking = yield* Effect.sync(() => turns++).pipe(
        Effect.delay("1 millis"),
        Effect.forever,
        Effect.forkChild(now)
      )
      yield* session.run(long)
      yield* Fiber.interrupt(ticking)
      assert.isAbove(turns, 20)
    }))

  it.live.runIf(process.platform === "linux")(
    "runs with a lower priority than the event loop",
    () =>
      Effect.gen(function*() {
        yield* spinning()
        assert.isTrue(priorities().includes(10))
        assert.strictEqual(getPriority(), 0)
      })
  )

  it.live("runs beside another one when there are two replicas", () =>
    Effect.gen(function*() {
      const session = yield* spinning({ replicas: 2 })
      const running = yield* Effect.forkChild(session.run(long), now)
      yield* session.run(short)
      assert.isTrue(isRunning(running))
      yield* Fiber.join(running)
    }))

  it.live("runs after those before it when there is one replica, in their order", () =>
    Effect.gen(function*() {
      const session = yield* spinning()
      const order: Array<number> = []
      yield* Effect.forEach(
        [3000, 1, 2000, 2],
        (iterations) => Effect.tap(session.run(spin(iterations)), () => Effect.sync(() => order.push(iterations))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(order, [3000, 1, 2000, 2])
    }))

  it.live("that is interrupted while it waits never runs", () =>
    Effect.gen(function*() {
      const session = yield* spinning()
      const running = yield* Effect.forkChild(session.run(long), now)
      const waiting = yield* Effect.forkChild(session.run(endless), now)
      yield* Fiber.interrupt(waiting)
      assert.isTrue(isRunning(running))
      yield* session.run(short)
      yield* Fiber.join(running)
    }))

  it.live("that is interrupted while it runs lets its caller go at once and keeps its replica until it is done", () =>
    Effect.gen(function*() {
      const session = yield* spinning()
      const [alone] = yield* Effect.timed(session.run(long))
      const running = yield* Effect.forkChild(session.run(long), now)
      const [leaving] = yield* Effect.timed(Fiber.interrupt(running))
      const [after] = yield* Effect.timed(session.run(short))
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(running)))
      assert.isBelow(Duration.toMillis(leaving), Duration.toMillis(alone) / 2)
      // However busy the machine is, a run takes no less than its products.
      assert.isAbove(Duration.toMillis(after), 50)
    }))

  it.live("whose tensors were detached while it waited is refused", () =>
    Effect.gen(function*() {
      const session = yield* spinning()
      const running = yield* Effect.forkChild(session.run(spin(3000)), now)
      const feeds = spin(1)
      const waiting = yield* Effect.forkChild(Effect.flip(session.run(feeds)), now)
      structuredClone(feeds.x.data, { transfer: [feeds.x.data.buffer as ArrayBuffer] })
      const error = yield* Fiber.join(waiting)
      assert.instanceOf(error, Onnx.BadFeeds)
      assert.strictEqual(error.actual, "float32[128, 128] with 0 elements in a Float32Array")
      yield* Fiber.join(running)
      yield* session.run(short)
    }))
})

describe("closing", () => {
  it.live("lets the running call finish, refuses those that wait and those that come later, and ends the threads", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const scope = yield* Scope.make()
      const path = yield* Models.file(Models.spin())
      const session = yield* Onnx.session(path).pipe(Scope.provide(scope))
      const running = yield* Effect.forkChild(session.run(long), now)
      const waiting = yield* Effect.forkChild(Effect.flip(session.run(endless)), now)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(alive.alive, 0)
      assert.deepStrictEqual((yield* Fiber.join(running))["y"]?.data, short.x.data)
      assert.deepStrictEqual(yield* Fiber.join(waiting), new Onnx.SessionClosed({ path }))
      assert.deepStrictEqual(yield* Effect.flip(session.run(short)), new Onnx.SessionClosed({ path }))
    }))

  it.live("is awaited when opening is interrupted", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const path = yield* Models.file(Models.spin())
      const loading = yield* Deferred.make<void>()
      const opening = yield* Onnx.session(path, { replicas: 2 }).pipe(
        Effect.provideService(Onnx.Progress, () => Deferred.succeed(loading, undefined)),
        Effect.forkChild
      )
      yield* Deferred.await(loading)
      yield* until(() => alive.started > 0)
      yield* Fiber.interrupt(opening)
      assert.strictEqual(alive.alive, 0)
    }))
})

const until = (condition: () => boolean) =>
  Effect.suspend(() => condition() ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.max([Schedule.spaced("5 millis"), Schedule.recurs(2000)]))
  )

describe("a thread that dies", () => {
  const entry = new URL("../fixtures/onnxWorker.ts", import.meta.url)
  const mortal = Effect.fnUntraced(function*(options?: Onnx.Options) {
    const path = yield* Models.file(Models.spin())
    return { path, session: yield* Session.make(entry, path, options) }
  })

  it.live("fails the call it runs with its exit code, and is back for the next call", () =>
    Effect.gen(function*() {
      const { path, session } = yield* mortal()
      for (let time = 0; time < 2; time++) {
        const error = yield* Effect.flip(session.run(spin(1, dying)))
        assert.instanceOf(error, Onnx.WorkerLost)
        assert.deepInclude(error, { path, replica: 0, exitCode: 9 })
        assert.deepStrictEqual((yield* session.run(short))["y"]?.data, short.x.data)
      }
    }))

  it.live("while it waits for a call fails no call", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const { session } = yield* mortal()
      yield* session.run(spin(1, dyingLater))
      yield* until(() => alive.started === 2)
      assert.deepStrictEqual((yield* session.run(short))["y"]?.data, short.x.data)
    }))

  it.live("fails no call of another replica and none that waits", () =>
    Effect.gen(function*() {
      const { session } = yield* mortal({ replicas: 2 })
      const running = yield* Effect.forkChild(session.run(long), now)
      const lost = yield* Effect.forkChild(Effect.flip(session.run(spin(1, dying))), now)
      const waiting = yield* Effect.forkChild(session.run(short), now)
      assert.instanceOf(yield* Fiber.join(lost), Onnx.WorkerLost)
      assert.isTrue(isRunning(running))
      yield* Fiber.join(waiting)
      yield* Fiber.join(running)
      yield* Effect.all([session.run(short), session.run(short)], { concurrency: "unbounded" })
    }))

  it.live("and cannot start again fails calls at once, until it can", () =>
    Effect.gen(function*() {
      const { path, session } = yield* mortal()
      yield* Effect.promise(() => rm(path))
      yield* Effect.flip(session.run(spin(1, dying)))
      const waiting = yield* Effect.flip(session.run(short))
      assert.instanceOf(waiting, Onnx.WorkerLost)
      assert.include(waiting.message, `could not be started again: No model at ${path}`)
      assert.deepStrictEqual(yield* Effect.flip(session.run(short)), waiting)
      yield* Effect.promise(() => writeFile(path, Models.spin()))
      yield* session.run(short).pipe(Effect.retry(Schedule.spaced("20 millis")))
    }))

  it.live("leaves the session closable while it waits to start again", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      yield* Effect.scoped(Effect.gen(function*() {
        const { session } = yield* mortal()
        yield* Effect.flip(session.run(spin(1, dying)))
      }))
      assert.strictEqual(alive.alive, 0)
    }))

  it.live("before it has loaded the model fails the opening, and the other replicas are closed", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const path = yield* Models.file(Models.spin(), "only-one.onnx")
      const error = yield* Effect.flip(Session.make(entry, path, { replicas: 3 }))
      assert.instanceOf(error, Onnx.WorkerLost)
      assert.include(error.message, "EEXIST")
      assert.deepStrictEqual(alive, { started: 3, alive: 0 })
    }))
})

describe("loading", () => {
  it.live("a file that is not there is ModelNotFound", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Onnx.session("/no/such/model.onnx"))
      assert.deepStrictEqual(
        error,
        new Onnx.ModelNotFound({ path: "/no/such/model.onnx", detail: "there is no such file" })
      )
    }))

  it.live("a directory, and a URL that is no file, are ModelNotFound", () =>
    Effect.gen(function*() {
      const directory = yield* Effect.flip(Onnx.session("/tmp"))
      assert.deepStrictEqual(directory, new Onnx.ModelNotFound({ path: "/tmp", detail: "it is a directory" }))
      const url = yield* Effect.flip(Onnx.session(new URL("https://example.com/model.onnx")))
      assert.instanceOf(url, Onnx.ModelNotFound)
      assert.strictEqual(url.path, "https://example.com/model.onnx")
    }))

  it.live("a file that is no model is ModelNotLoadable, and every thread has ended", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const path = yield* Models.file(new TextEncoder().encode("this is not a model"))
      const error = yield* Effect.flip(Onnx.session(path, { replicas: 3 }))
      assert.instanceOf(error, Onnx.ModelNotLoadable)
      assert.strictEqual(error.path, path)
      assert.include(error.detail, "Protobuf parsing failed")
      assert.deepStrictEqual(alive, { started: 3, alive: 0 })
    }))

  it.live("an operator that the runtime lacks is ModelNotLoadable with its name", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Onnx.session(yield* Models.file(Models.unknownOperator())))
      assert.instanceOf(error, Onnx.ModelNotLoadable)
      assert.include(error.detail, "NoSuchOperator")
    }))

  it.live("a model of strings is ModelNotLoadable with the name of the input", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Onnx.session(yield* Models.file(Models.identity("string", ["n"]))))
      assert.instanceOf(error, Onnx.ModelNotLoadable)
      assert.include(error.detail, "\"x\" is string")
    }))

  it.live("no replicas is a defect", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Onnx.session("model.onnx", { replicas: 0 }))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError)
    }))

  it.live("the same file twice gives two sessions that do not disturb each other", () =>
    Effect.gen(function*() {
      const path = yield* Models.file(Models.spin())
      const first = yield* Onnx.session(path)
      yield* Effect.scoped(Effect.gen(function*() {
        const second = yield* Onnx.session(path)
        yield* Effect.all([first.run(short), second.run(short)], { concurrency: "unbounded" })
      }))
      yield* first.run(short)
    }))
})

describe("warm-up", () => {
  it.live("runs on every replica before the session is ready, and progress counts each step", () =>
    Effect.gen(function*() {
      const events: Array<Onnx.ProgressEvent> = []
      const started = yield* Clock.currentTimeMillis
      yield* spinning({ replicas: 2, warmup: short, warmupRuns: 3 }).pipe(
        Effect.provideService(Onnx.Progress, (event) => Effect.sync(() => events.push(event)))
      )
      const took = (yield* Clock.currentTimeMillis) - started
      assert.deepStrictEqual(
        events.filter((event) => event._tag !== "Loading").map((event) => event.completed),
        [1, 2, 3, 4, 5, 6, 7, 8]
      )
      for (const replica of [0, 1]) {
        assert.deepStrictEqual(events.filter((event) => event.replica === replica).map((event) => event._tag), [
          "Loading",
          "WarmingUp",
          "WarmingUp",
          "WarmingUp",
          "Ready"
        ])
      }
      for (const event of events) {
        assert.deepInclude(event, { replicas: 2, total: 8, path: events[0]!.path })
        assert.isAtMost(Duration.toMillis(event.elapsed), took)
      }
    }))

  it.live("runs once when it is given without a number", () =>
    Effect.gen(function*() {
      const events: Array<Onnx.ProgressEvent> = []
      yield* spinning({ warmup: short }).pipe(
        Effect.provideService(Onnx.Progress, (event) => Effect.sync(() => events.push(event)))
      )
      assert.deepStrictEqual(events.map((event) => event._tag), ["Loading", "WarmingUp", "Ready"])
    }))

  it.live("with feeds that do not fit fails the opening", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      assert.instanceOf(yield* Effect.flip(spinning({ replicas: 2, warmup: {} })), Onnx.BadFeeds)
      assert.deepStrictEqual(alive, { started: 2, alive: 0 })
    }))

  it.live("that the model fails on fails the opening", () =>
    Effect.gen(function*() {
      const path = yield* Models.file(Models.lookup())
      const warmup = { row: Tensor.make("int64", [1], BigInt64Array.of(7n)) }
      assert.instanceOf(yield* Effect.flip(Onnx.session(path, { warmup })), Onnx.RunFailed)
    }))
})

describe("a grant", () => {
  it.live("says how many replicas a session has, unless its options do", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const grant = { replicas: 2, threads: 1, gpus: [] }
      const granted = yield* spinning().pipe(Effect.provideService(Resources.Grant, grant))
      assert.strictEqual(granted.replicas, 2)
      assert.strictEqual(alive.started, 2)
      const chosen = yield* spinning({ replicas: 1 }).pipe(Effect.provideService(Resources.Grant, grant))
      assert.strictEqual(chosen.replicas, 1)
      assert.strictEqual(alive.started, 3)
    }))

  it.live("with several threads runs the same model", () =>
    Effect.gen(function*() {
      const session = yield* spinning().pipe(
        Effect.provideService(Resources.Grant, { replicas: 1, threads: 2, gpus: [] })
      )
      assert.deepStrictEqual((yield* session.run(short))["y"]?.data, short.x.data)
    }))

  it("becomes what the runtime is told", () => {
    assert.deepStrictEqual(sessionOptions({ threads: 1, gpus: [] }), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      executionProviders: ["cpu"]
    })
    assert.deepStrictEqual(sessionOptions({ threads: 4, gpus: [2] }), {
      intraOpNumThreads: 4,
      interOpNumThreads: 1,
      executionMode: "sequential",
      executionProviders: [{ name: "cuda", deviceId: 2 }, "cpu"],
      extra: { session: { intra_op: { allow_spinning: "0" } } }
    })
    assert.deepStrictEqual(sessionOptions({ threads: 1, gpus: [2], executionProviders: ["cpu"] }).executionProviders, [
      "cpu"
    ])
  })
})

describe("a layer", () => {
  class Spinner extends Context.Service<Spinner, Onnx.Session>()("test/Spinner") {}
  class First extends Context.Service<First, Effect.Effect<Onnx.Tensors, ServiceError.Unavailable>>()("test/First") {}
  class Second
    extends Context.Service<Second, Effect.Effect<Onnx.Tensors, ServiceError.Unavailable>>()("test/Second")
  {}

  it.live("shares the replicas of a session between the services that are given it", () =>
    Effect.gen(function*() {
      const alive = yield* threads
      const path = yield* Models.file(Models.spin())
      const spinner = Onnx.layer(Spinner, path, { replicas: 2 })
      const running = Effect.map(Spinner, (session) => session.run(short).pipe(Onnx.orUnavailable))
      const services = Layer.mergeAll(
        Layer.effect(First, running).pipe(Layer.provide(spinner)),
        Layer.effect(Second, running).pipe(Layer.provide(spinner))
      )
      yield* Effect.gen(function*() {
        yield* yield* First
        yield* yield* Second
        assert.deepStrictEqual(alive, { started: 2, alive: 2 })
      }).pipe(Effect.provide(services))
      assert.strictEqual(alive.alive, 0)
    }))
})

describe("orUnavailable", () => {
  const lost = new Onnx.WorkerLost({ path: "m.onnx", replica: 0, exitCode: 9, detail: "it died" })
  const closed = new Onnx.SessionClosed({ path: "m.onnx" })
  const bad = new Onnx.BadFeeds({ path: "m.onnx", input: "x", expected: "a", actual: "b" })
  const failed = new Onnx.RunFailed({ path: "m.onnx", detail: "no" })

  it.effect("makes a lost thread and a closed session Unavailable with their message", () =>
    Effect.gen(function*() {
      for (const error of [lost, closed]) {
        const unavailable = yield* Effect.flip(Effect.fail(error).pipe(Onnx.orUnavailable))
        assert.deepStrictEqual(unavailable, new ServiceError.Unavailable({ detail: error.message }))
      }
    }))

  it.effect("makes what only a bug can cause a defect", () =>
    Effect.gen(function*() {
      for (const error of [bad, failed]) {
        const exit = yield* Effect.exit(Effect.fail(error).pipe(Onnx.orUnavailable))
        assert.deepStrictEqual(exit, Exit.die(error))
      }
    }))

  it.effect("leaves results and other errors alone", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.succeed(1).pipe(Onnx.orUnavailable), 1)
      assert.strictEqual(yield* Effect.flip(Effect.fail("other").pipe(Onnx.orUnavailable)), "other")
    }))
})
