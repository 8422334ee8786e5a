/** The neural network, from the file that train.ts has written. */
import { Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import { Network } from "./contracts.ts"

const outputs = { scores: Tensor.schema("float32", [1, 10]) }

export const NetworkLive = Network.toLayer(Effect.gen(function*() {
  const session = yield* Onnx.session(new URL("./network.onnx", import.meta.url))
  return {
    classify: Effect.fnUntraced(function*({ picture }) {
      const pixels = Tensor.make("float32", [1, 64], picture.data)
      const { scores } = yield* session.run({ pixels }, outputs).pipe(Onnx.orUnavailable)
      return scores.data.indexOf(Math.max(...scores.data))
    })
  }
})).pipe(Resources.require({ cpu: 1, memory: "64 MiB" }))
