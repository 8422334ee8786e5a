/** 64 callers of one small model: each call alone, and calls that come together in one run. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Batch, Model, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Console, Duration, Effect, FileSystem, Path } from "effect"
import { Rpc } from "effect/rpc"
import { mlp } from "./mlp.ts"

const width = 1024
const callers = 64
const callsOfEach = 40

const Vector = Tensor.schema("float32", ["batch", width])

export class Scorer extends Model.Service<Scorer>()("batching/Scorer", [
  Rpc.make("score", { payload: { x: Vector }, success: Vector })
]) {}

/** One run of the model for each call. */
const oneByOne = (session: Onnx.Session) => (feeds: { readonly x: Tensor.Tensor<"float32", 2> }) =>
  session.run(feeds, { y: Vector })

const Alone = (session: Onnx.Session) =>
  Scorer.toLayer({
    score: (feeds) => oneByOne(session)(feeds).pipe(Effect.map(({ y }) => y), Onnx.orUnavailable)
  })

/** One run for the calls that have come by then. This is all that changes. */
const Together = (session: Onnx.Session) =>
  Scorer.toLayer(Effect.gen(function*() {
    const score = yield* Batch.tensors({ name: "score", run: oneByOne(session) })
    return { score: (feeds) => score(feeds).pipe(Effect.map(({ y }) => y), Onnx.orUnavailable) }
  }))

/** Calls a second, when every caller calls again as soon as it is answered. */
const measure = Effect.gen(function*() {
  const scorer = yield* Scorer
  const x = Tensor.make("float32", [1, width], new Float32Array(width).fill(0.1))
  const caller = Effect.repeat(scorer.score({ x }), { times: callsOfEach - 1 })
  const all = Effect.all(Array.from({ length: callers }, () => caller), { concurrency: "unbounded", discard: true })
  yield* all
  const [duration] = yield* Effect.timed(all)
  return Math.round(callers * callsOfEach / Duration.toSeconds(duration))
})

const program = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).join(yield* files.makeTempDirectoryScoped(), "mlp.onnx")
  yield* files.writeFile(path, mlp(width, 4))
  const session = yield* Onnx.session(path)
  const alone = yield* Effect.provide(measure, Alone(session))
  const together = yield* Effect.provide(measure, Together(session))
  yield* Console.log(`${callers} callers, each call alone:    ${alone} calls a second`)
  yield* Console.log(`${callers} callers, calls run together: ${together} calls a second`)
  yield* Console.log(`that is ${(together / alone).toFixed(1)} times as many`)
})

program.pipe(Effect.scoped, Effect.provide(NodeServices.layer), NodeRuntime.runMain)
