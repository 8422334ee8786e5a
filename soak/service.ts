/** A service with every kind of call, which also tells what its process holds. */
import { Model, Tensor } from "chorale"
import { Effect, Layer, References, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { Held, measure } from "./held.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { at: Schema.Int }) {}

export class Soak extends Model.Service<Soak>()("soak/Soak", [
  Rpc.make("text", { payload: { text: Schema.String }, success: Schema.String }),
  Rpc.make("tensor", {
    payload: { tensor: Tensor.schema("float32", ["n"]) },
    success: Tensor.schema("float32", ["n"])
  }),
  Rpc.make("numbers", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("sum", { payload: { numbers: Model.streamOf(Schema.Int) }, success: Schema.Int }),
  Rpc.make("refuse", { payload: { at: Schema.Int }, error: Refused }),
  Rpc.make("wait"),
  Rpc.make("held", { success: Held })
]) {}

export const SoakLive = Soak.toLayer({
  text: ({ text }) => Effect.as(Effect.yieldNow, text),
  tensor: ({ tensor }) => Effect.succeed(tensor),
  numbers: ({ to }) => Stream.range(1, to),
  sum: ({ numbers }) => Stream.runFold(numbers, () => 0, (sum, number) => sum + number),
  refuse: ({ at }) => Effect.fail(new Refused({ at })),
  wait: () => Effect.never,
  held: () => measure
}).pipe(Layer.provide(Layer.succeed(References.TracerEnabled, false)))
