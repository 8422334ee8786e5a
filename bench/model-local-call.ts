import { Model, Tensor } from "chorale"
import { Effect } from "effect"
import { Rpc } from "effect/rpc"
import { strictEqual } from "node:assert/strict"
import { type Benchmark, interleave, inTurns, microsPerCall, ratioAtMost } from "./benchmark.ts"

const callsPerSample = 20_000

const Vector = Tensor.schema("float32", ["n"])

class Echo extends Model.Service<Echo>()("bench/Echo", [
  Rpc.make("echo", { payload: { vector: Vector }, success: Vector })
]) {}

/** The handler, and what it would be without a service around it. */
const handler = ({ vector }: { readonly vector: Tensor.Tensor<"float32", 1> }) => Effect.succeed(vector)

const measure = Effect.gen(function*() {
  const echo = yield* Echo
  const payload = { vector: Tensor.zeros("float32", [512]) }
  const bare = (payload: { readonly vector: Tensor.Tensor<"float32", 1> }) =>
    Effect.withSpan(handler(payload), "bench/Echo.echo", { captureStackTrace: false })
  strictEqual(yield* echo.echo(payload), payload.vector)

  const samples = yield* interleave({
    ours: microsPerCall(callsPerSample, () => echo.echo(payload)),
    bare: microsPerCall(callsPerSample, () => bare(payload))
  }, { rounds: 41, warmup: 5 })
  return inTurns(samples.ours, samples.bare)
}).pipe(Effect.provide(Echo.toLayer({ echo: handler })), Effect.orDie)

/** What a service adds to a function: the check of the payload and the context of the call. */
export const localCall: Benchmark = {
  name: "model/local-call",
  measures: "a call of a service in this process, with its span, over the handler alone in the same span",
  unit: "µs",
  target: ratioAtMost(2),
  run: () => measure
}

/** The same with the tracer disabled on both sides. */
export const localCallUntraced: Benchmark = {
  name: "model/local-call-untraced",
  measures: "the same without a tracer: a call of a service in this process over the handler alone",
  unit: "µs",
  target: ratioAtMost(2),
  run: () => Effect.withTracerEnabled(measure, false)
}
