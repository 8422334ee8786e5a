import { assert, layer } from "@effect/vitest"
import { Deadline } from "chorale"
import { Worker } from "chorale/node"
import { Context, Effect, Fiber, Layer, Schedule, Tracer } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Caller, Doubler, Negative } from "./fixtures/batched.ts"
import { outcome } from "./traffic/work.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

const entry = (name: string) => new URL(`./fixtures/${name}.worker.ts`, import.meta.url)

class Processes extends Context.Service<Processes, {
  readonly doubler: Doubler["Service"]
  readonly first: Caller["Service"]
  readonly second: Caller["Service"]
}>()("test/Processes") {}

/** A process with the batch, and two that call it over a socket: each call of a test takes two hops. */
const ProcessesLive = Layer.effect(
  Processes,
  Effect.gen(function*() {
    const env = { BATCHED_PATH: Path.join(yield* directory, "batched.sock") }
    const doubler = yield* Layer.build(Worker.layerProcess(Doubler, { entry: entry("batched"), env }))
    const caller = Layer.build(Layer.fresh(Worker.layerProcess(Caller, { entry: entry("batchedCaller"), env })))
    const [first, second] = yield* Effect.all([caller, caller], { concurrency: 2 })
    return {
      doubler: Context.get(doubler, Doubler),
      first: Context.get(first, Caller),
      second: Context.get(second, Caller)
    }
  })
)

/** The processes with the gate closed, and a way to wait until the batch has seen what it should. */
const begin = Effect.gen(function*() {
  const processes = yield* Processes
  const { doubler } = processes
  yield* doubler.close()
  const eventually = (condition: (seen: Effect.Success<ReturnType<typeof doubler.seen>>) => boolean) =>
    doubler.seen().pipe(
      Effect.repeat({ until: condition, schedule: Schedule.spaced(10) }),
      Effect.timeout("20 seconds")
    )
  return { ...processes, eventually }
})

const fork = <A, E>(call: Effect.Effect<A, E>) => Effect.forkChild(call, { startImmediately: true })

const itemsOf = ({ runs }: { readonly runs: ReadonlyArray<{ readonly items: ReadonlyArray<number> }> }) =>
  runs.map(({ items }) => items.toSorted((a, b) => a - b))

const tracer = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })

layer(ProcessesLive, { excludeTestServices: true, timeout: "60 seconds" })(
  "Batch in a process of its own, called from two others,",
  (it) => {
    it.effect("runs their calls together, fails a bad one alone, and links each with its run", () =>
      Effect.gen(function*() {
        const { doubler, eventually, first, second } = yield* begin
        const busy = yield* fork(first.double({ item: 100, priority: 0 }))
        yield* eventually(({ runs }) => runs.length === 1)
        const traced = Effect.fn("traced")(function*(caller: Caller["Service"], item: number) {
          const { traceId } = yield* Effect.orDie(Effect.currentSpan)
          const result = yield* Effect.result(caller.double({ item, priority: 0 }))
          return { result, traceId }
        })
        const calls = yield* Effect.forEach(
          [[first, 1], [second, 2], [first, -3], [second, 4]] as const,
          ([caller, item]) => fork(traced(caller, item))
        )
        yield* eventually(({ waiting }) => waiting === 4)
        yield* doubler.open()
        assert.strictEqual(yield* Fiber.join(busy), 200)
        const answers = yield* Fiber.joinAll(calls)
        assert.deepStrictEqual(
          answers.map(({ result }) => result._tag === "Success" ? result.success : result.failure),
          [2, 4, new Negative({ item: -3 }), 8]
        )
        const { runs } = yield* doubler.seen()
        assert.deepStrictEqual(itemsOf({ runs }), [[100], [-3, 1, 2, 4]])
        assert.deepStrictEqual(runs[1]?.traces.toSorted(), answers.map(({ traceId }) => traceId).toSorted())
      }).pipe(Effect.withTracer(tracer)))

    it.effect("runs what it holds in time for the deadline of a call from two hops away", () =>
      Effect.gen(function*() {
        const { doubler, first, second } = yield* begin
        const full = Array.from({ length: 8 }, (_, item) =>
          (item % 2 === 0 ? first : second).collect({ item, priority: 0 }))
        yield* Effect.all(full, { concurrency: "unbounded" })
        const patient = yield* fork(second.collect({ item: 21, priority: 0 }))
        assert.strictEqual(yield* Deadline.within(first.collect({ item: 20, priority: 0 }), "4 seconds"), 40)
        assert.strictEqual(yield* Fiber.join(patient), 42)
        assert.deepStrictEqual(itemsOf(yield* doubler.seen()), [[0, 1, 2, 3, 4, 5, 6, 7], [20, 21]])
      }))

    it.effect("runs by priority, without the items of a caller that left and of a process that died", () =>
      Effect.gen(function*() {
        const { doubler, eventually, first, second } = yield* begin
        const busy = yield* fork(second.double({ item: 100, priority: 0 }))
        yield* eventually(({ runs }) => runs.length === 1)
        const leaving = yield* fork(second.double({ item: 1, priority: 9 }))
        const dying = yield* fork(first.double({ item: 2, priority: 9 }))
        yield* eventually(({ waiting }) => waiting === 2)
        const staying = yield* Effect.forEach(
          [10, 11, 12, 13, 14, 15],
          (item) => fork(second.double({ item, priority: item % 2 }))
        )
        yield* eventually(({ waiting }) => waiting === 8)
        yield* Fiber.interrupt(leaving)
        yield* eventually(({ waiting }) => waiting === 7)
        yield* fork(Effect.exit(first.exit()))
        yield* eventually(({ waiting }) => waiting === 6)
        yield* Fiber.await(dying)
        assert.strictEqual(outcome(dying), "Unavailable")
        yield* doubler.open()
        assert.strictEqual(yield* Fiber.join(busy), 200)
        assert.deepStrictEqual(yield* Fiber.joinAll(staying), [20, 22, 24, 26, 28, 30])
        assert.deepStrictEqual(itemsOf(yield* doubler.seen()), [[100], [10, 11, 13, 15], [12, 14]])
      }))
  }
)
