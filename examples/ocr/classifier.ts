/** The orientation classifier: whether a line of text is upside down. */
import { Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import { join } from "node:path"
import { OrientationClassifier } from "./contracts.ts"
import { classifierInput } from "./image.ts"
import { ModelFolder } from "./models.ts"

const outputs = { "softmax_0.tmp_0": Tensor.schema("float32", ["batch", 2]) }

export const OrientationClassifierLive = OrientationClassifier.toLayer(Effect.gen(function*() {
  const session = yield* Onnx.session(join(yield* ModelFolder, "ch_ppocr_mobile_v2.0_cls_infer.onnx"), {
    warmup: { x: Tensor.zeros("float32", [1, 3, 48, 192]) }
  })
  return {
    classify: Effect.fnUntraced(function*({ line }) {
      const results = yield* session.run({ x: classifierInput(line) }, outputs).pipe(Onnx.orUnavailable)
      const [upright = 0, turned = 0] = results["softmax_0.tmp_0"].data
      return { turned: turned > upright, confidence: Math.max(upright, turned) }
    })
  }
})).pipe(Resources.require({ cpu: 0.1, memory: "100 MiB" }))
