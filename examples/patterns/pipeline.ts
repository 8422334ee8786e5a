/**
 * Preprocessing, two models at once on the same tensor, and a join.
 *
 * Triton: a model of platform `ensemble`, whose steps are connected by the names of tensors (`input_map`, `output_map`)
 * and start when their inputs are there. Here the tensors are values of the program, with dtype and rank in their
 * types; the two models start together because they are the members of an ensemble, and the pipeline is a service like
 * they are.
 */
import { Ensemble, Model, Tensor } from "chorale"
import { Console, Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"

const Picture = Tensor.schema("uint8", ["height", "width"])
const Normalised = Tensor.schema("float32", ["height", "width"])

class Preprocess extends Model.Service<Preprocess>()("patterns/Preprocess", [
  Rpc.make("normalise", { payload: { picture: Picture }, success: Normalised })
]) {}

class Brightness extends Model.Service<Brightness>()("patterns/Brightness", [
  Rpc.make("rate", { payload: { picture: Normalised }, success: Schema.Finite })
]) {}

class Edges extends Model.Service<Edges>()("patterns/Edges", [
  Rpc.make("count", { payload: { picture: Normalised }, success: Schema.Int })
]) {}

class Describe extends Model.Service<Describe>()("patterns/Describe", [
  Rpc.make("describe", { payload: { picture: Picture }, success: Schema.String })
]) {}

const PreprocessLive = Preprocess.toLayer({
  normalise: ({ picture }) =>
    Effect.succeed(Tensor.make("float32", picture.shape, Float32Array.from(picture.data, (level) => level / 255)))
})

const BrightnessLive = Brightness.toLayer({
  rate: ({ picture: { data } }) => Effect.succeed(data.reduce((sum, level) => sum + level, 0) / data.length)
})

const EdgesLive = Edges.toLayer({
  count: ({ picture: { data, shape: [, width] } }) =>
    Effect.succeed(
      data.filter((level, index) => index % width > 0 && Math.abs(level - (data[index - 1] ?? level)) > 0.5).length
    )
})

const DescribeLive = Describe.toLayer(Effect.gen(function*() {
  const preprocess = yield* Preprocess
  const brightness = yield* Brightness
  const edges = yield* Edges
  return {
    describe: Effect.fnUntraced(function*({ picture }) {
      const normalised = yield* preprocess.normalise({ picture })
      return yield* Ensemble.stack(
        { brightness: brightness.rate({ picture: normalised }), edges: edges.count({ picture: normalised }) },
        ({ brightness, edges }) =>
          Effect.succeed(`${brightness > 0.5 ? "bright" : "dark"}, with ${edges} vertical edges`)
      )
    })
  }
})).pipe(Layer.provide([PreprocessLive, BrightnessLive, EdgesLive]))

export const program = Effect.gen(function*() {
  const stripes = Tensor.make("uint8", [2, 4], Uint8Array.of(255, 0, 255, 0, 255, 0, 255, 0))
  yield* Console.log(`stripes: ${yield* Describe.use((describe) => describe.describe({ picture: stripes }))}`)
  const paper = Tensor.make("uint8", [2, 4], new Uint8Array(8).fill(240))
  yield* Console.log(`paper: ${yield* Describe.use((describe) => describe.describe({ picture: paper }))}`)
}).pipe(Effect.provide(DescribeLive))

if (import.meta.main) await Effect.runPromise(program)
