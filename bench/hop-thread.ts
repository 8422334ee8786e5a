import { Tensor } from "chorale"
import { Worker } from "chorale/node"
import { Context, Effect, Layer } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { once } from "node:events"
import * as Threads from "node:worker_threads"
import { type Benchmark, interleave, inTurns, medianMillis, ratioAtMost, series } from "./benchmark.ts"
import { pinToOneCore } from "./pin.ts"
import { Echo } from "./remote/contracts.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

/** 4 MiB of float32. */
const large = 1_048_576

const newlyShared = () => Tensor.make("float32", [256], new Float32Array(new SharedArrayBuffer(1024)))

const service = Effect.map(
  Layer.build(Worker.layerThread(Echo, { entry: new URL("./hop/echo.worker.ts", import.meta.url) })),
  Context.get(Echo)
)

/** A thread that posts back what it is posted, one message at a time. */
const port = Effect.gen(function*() {
  const thread = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const thread = new Threads.Worker(new URL("./hop/port.worker.ts", import.meta.url))
      await once(thread, "online")
      return thread
    }),
    (thread) => Effect.promise(() => thread.terminate())
  )
  let waiting: (message: unknown) => void = () => undefined
  thread.on("message", (message: unknown) => waiting(message))
  return (message: unknown) =>
    new Promise<unknown>((resolve) => {
      waiting = resolve
      thread.postMessage(message)
    })
})

const micros = <E>(calls: number, call: () => Effect.Effect<unknown, E>) =>
  Effect.map(medianMillis(calls, call), (millis) => millis * 1000)

const measured = Effect.withTracerEnabled(false)

/** What the library adds to a message between threads. */
export const threadSmall: Benchmark = {
  name: "hop/thread-small",
  measures: "p50 of a call with 6 fields and the same back to a thread, over posting the object there and back by hand",
  unit: "µs",
  target: ratioAtMost(2.5),
  run: Effect.fnUntraced(function*() {
    pinToOneCore()
    const echo = yield* service
    const post = yield* port
    deepStrictEqual(yield* echo.json(record), yield* Effect.promise(() => post(record)))
    const samples = yield* interleave({
      ours: measured(micros(1000, () => echo.json(record))),
      bare: micros(1000, () => Effect.promise(() => post(record)))
    }, { rounds: 75, warmup: 5 })
    return inTurns(samples.ours, samples.bare)
  }, Effect.orDie)
}

/** Whether a tensor in shared memory costs anything. */
export const thread4m: Benchmark = {
  name: "hop/thread-4m",
  measures:
    "p50 of a call with 4 MiB of tensor in shared memory and the same back to a thread, again and again, over one with 6 fields",
  unit: "µs",
  target: ratioAtMost(1.2),
  run: Effect.fnUntraced(function*() {
    pinToOneCore()
    const echo = yield* service
    const shared = Tensor.make("float32", [large], new Float32Array(new SharedArrayBuffer(4 * large)).fill(1))
    const own = Tensor.make("float32", [large], new Float32Array(large).fill(1))
    deepStrictEqual((yield* echo.tensor({ tensor: shared })).data.length, large)
    const samples = yield* interleave({
      shared: measured(micros(1000, () => echo.tensor({ tensor: shared }))),
      small: measured(micros(1000, () => echo.json(record)))
    }, { rounds: 25, warmup: 5 })
    // Not in turns with the others: whoever came next would pay for the collection of this memory.
    const { own: copies } = yield* interleave(
      { own: measured(micros(20, () => echo.tensor({ tensor: own }))) },
      { rounds: 9, warmup: 2 }
    )
    const copied = series(copies).figure
    const { fresh } = yield* interleave(
      { fresh: measured(micros(1000, () => echo.tensor({ tensor: newlyShared() }))) },
      { rounds: 9, warmup: 2 }
    )
    return inTurns(samples.shared, samples.small, [
      `in memory of its own, copied once each way: ${Math.round(copied)} µs`,
      `in shared memory that was never sent before, 1 KiB: ${Math.round(series(fresh).figure)} µs`
    ])
  }, Effect.orDie)
}
