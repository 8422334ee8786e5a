/** The text detector: PP-OCRv4's DB network and its post-processing. */
import { Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import { join } from "node:path"
import { findBoxes } from "./boxes.ts"
import { TextDetector } from "./contracts.ts"
import { detectorInput } from "./image.ts"
import { ModelFolder } from "./models.ts"
import { shrink } from "./shrink.ts"

const outputs = { "sigmoid_0.tmp_0": Tensor.schema("float32", ["batch", 1, "height", "width"]) }

export const TextDetectorLive = TextDetector.toLayer(Effect.gen(function*() {
  const session = yield* Onnx.session(join(yield* ModelFolder, "ch_PP-OCRv4_det_infer.onnx"), {
    warmup: { x: Tensor.zeros("float32", [1, 3, 640, 640]) }
  })
  return {
    detect: Effect.fnUntraced(function*({ image }) {
      const [height, width] = image.shape
      const smaller = yield* shrink(image)
      const { input, scale } = detectorInput(smaller)
      const { "sigmoid_0.tmp_0": map } = yield* session.run({ x: input }, outputs).pipe(Onnx.orUnavailable)
      return findBoxes(map.data, { columns: map.shape[3], scale: scale * smaller.shape[1] / width, width, height })
    })
  }
})).pipe(Resources.require({ cpu: 0.4, memory: "400 MiB" }))
