import { Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { Worker } from "node:worker_threads"
import * as Fixture from "../test/fixtures/onnx.ts"
import { type Benchmark, format, interleave, inTurns, median, microsPerCall, ratioAtMost } from "./benchmark.ts"

/** 1x3x224x224: a picture as most image classifiers take it, 602 kB. */
const elements = 150_528

const callsPerSample = 150

/** What a session adds to moving the tensor to another thread and back. */
export const call: Benchmark = {
  name: "onnx/call",
  measures:
    "a call of a model that answers its input of 602 kB, over a bare round trip of it to a worker, cloned both ways",
  unit: "µs",
  target: ratioAtMost(1.5),
  run: Effect.fnUntraced(function*() {
    const session = yield* Onnx.session(yield* Fixture.file(Fixture.identity("float32", ["n"])))
    const echo = yield* bareWorker
    const x = Tensor.make("float32", [elements], Float32Array.from({ length: elements }, (_, index) => index))
    const { y } = yield* session.run({ x })
    deepStrictEqual(y, x)
    deepStrictEqual(yield* Effect.promise(() => echo(x.data)), x.data)

    const shared = Tensor.make("float32", [elements], new Float32Array(new SharedArrayBuffer(elements * 4)))
    const samples = yield* interleave({
      ours: microsPerCall(callsPerSample, () => session.run({ x })),
      bare: Effect.promise(() => perRoundTrip(() => echo(x.data))),
      shared: microsPerCall(callsPerSample, () => session.run({ x: shared })),
      message: Effect.promise(() => perRoundTrip(() => echo(undefined)))
    }, { rounds: 41, warmup: 5 })
    return inTurns(samples.ours, samples.bare, [
      `with the input in a SharedArrayBuffer: ${format(median(samples.shared))} µs`,
      `a bare round trip of an empty message: ${format(median(samples.message))} µs`
    ])
  }, Effect.orDie)
}

const perRoundTrip = async (roundTrip: () => Promise<unknown>) => {
  const start = performance.now()
  for (let done = 0; done < callsPerSample; done++) await roundTrip()
  return (performance.now() - start) / callsPerSample * 1000
}

const echoSource = `
  const { parentPort } = require("node:worker_threads")
  parentPort.on("message", (value) => parentPort.postMessage(value))
`

const bareWorker = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Worker(echoSource, { eval: true })),
    (worker) => Effect.promise(() => worker.terminate())
  ),
  (worker) => {
    let settle: (value: unknown) => void = () => {}
    worker.on("message", (value) => settle(value))
    return (value: unknown) =>
      new Promise<unknown>((resolve) => {
        settle = resolve
        worker.postMessage(value)
      })
  }
)
