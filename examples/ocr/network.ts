/** The recogniser's network as a service of its own: tensors in, tensors out, so that any inference server can run it. */
import { Model, Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect, FileSystem } from "effect"
import { Rpc } from "effect/rpc"
import { join } from "node:path"
import { TextRecognizer } from "./contracts.ts"
import { decodeText, parseDictionary } from "./ctc.ts"
import { recognizerInput } from "./image.ts"
import { ModelFolder } from "./models.ts"

/** What the network says of each step along a line: how likely each character is. */
const Probabilities = Tensor.schema("float32", ["batch", "steps", 6625])

/** PP-OCRv4's recognition network. */
export class RecognizerNetwork extends Model.Service<RecognizerNetwork>()("ocr/RecognizerNetwork", [
  Rpc.make("infer", {
    payload: { x: Tensor.schema("float32", ["batch", 3, 48, "width"]) },
    success: Probabilities
  })
]) {}

export const RecognizerNetworkLive = RecognizerNetwork.toLayer(Effect.gen(function*() {
  const session = yield* Onnx.session(join(yield* ModelFolder, "ch_PP-OCRv4_rec_infer.onnx"))
  const outputs = { "softmax_11.tmp_0": Probabilities }
  return {
    infer: ({ x }) =>
      session.run({ x }, outputs).pipe(
        Onnx.orUnavailable,
        Effect.map((answer) => answer["softmax_11.tmp_0"])
      )
  }
})).pipe(Resources.require({ cpu: 0.6, memory: "300 MiB" }))

/** The recogniser on that network, wherever it runs: what is before and after it happens here. */
export const TextRecognizerOnNetwork = TextRecognizer.toLayer(Effect.gen(function*() {
  const network = yield* RecognizerNetwork
  const files = yield* FileSystem.FileSystem
  const dictionary = parseDictionary(yield* files.readFileString(join(yield* ModelFolder, "ppocr_keys_v1.txt")))
  return {
    recognize: Effect.fnUntraced(function*({ line }) {
      const probabilities = yield* network.infer({ x: recognizerInput(line) })
      return decodeText(probabilities.data, dictionary)
    })
  }
}))
