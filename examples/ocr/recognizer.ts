/** The text recogniser: PP-OCRv4's network and the decoding of what it says. */
import { Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect, FileSystem } from "effect"
import { join } from "node:path"
import { TextRecognizer } from "./contracts.ts"
import { decodeText, parseDictionary } from "./ctc.ts"
import { recognizerInput } from "./image.ts"
import { ModelFolder } from "./models.ts"

const outputs = { "softmax_11.tmp_0": Tensor.schema("float32", ["batch", "steps", 6625]) }

export const TextRecognizerLive = TextRecognizer.toLayer(Effect.gen(function*() {
  const folder = yield* ModelFolder
  const files = yield* FileSystem.FileSystem
  const dictionary = parseDictionary(yield* files.readFileString(join(folder, "ppocr_keys_v1.txt")))
  const session = yield* Onnx.session(join(folder, "ch_PP-OCRv4_rec_infer.onnx"), {
    warmup: { x: Tensor.zeros("float32", [1, 3, 48, 320]) }
  })
  return {
    recognize: Effect.fnUntraced(function*({ line }) {
      const x = recognizerInput(line)
      const { "softmax_11.tmp_0": probabilities } = yield* session.run({ x }, outputs).pipe(Onnx.orUnavailable)
      const reading = decodeText(probabilities.data, dictionary)
      Tensor.free(x)
      Tensor.free(probabilities)
      return reading
    })
  }
})).pipe(Resources.require({ cpu: 0.6, memory: "300 MiB", replicas: { min: 1, max: 4 } }))
