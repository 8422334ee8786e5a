/** The text detector: PP-OCRv4's DB network and its post-processing. */
import { Resources, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import { join } from "node:path"
import { closerLook, findBoxes } from "./boxes.ts"
import { TextDetector } from "./contracts.ts"
import { detectorInput, type Image } from "./image.ts"
import { ModelFolder } from "./models.ts"
import { shrink } from "./shrink.ts"
import { Turns } from "./turns.ts"

const outputs = { "sigmoid_0.tmp_0": Tensor.schema("float32", ["batch", 1, "height", "width"]) }

export const TextDetectorLive = TextDetector.toLayer(Effect.gen(function*() {
  const turns = yield* Turns
  const session = yield* Onnx.session(join(yield* ModelFolder, "ch_PP-OCRv4_det_infer.onnx"), {
    warmup: { x: Tensor.zeros("float32", [1, 3, 640, 640]) }
  })

  const look = Effect.fnUntraced(function*(image: Image, shrunk: Image, longestSide?: number) {
    const { input, scale } = yield* turns.run(detectorInput(shrunk, longestSide))
    const { "sigmoid_0.tmp_0": map } = yield* session.run({ x: input }, outputs).pipe(Onnx.orUnavailable)
    const [height, width] = image.shape
    const place = { columns: map.shape[3], scale: scale * shrunk.shape[1] / width, width, height }
    const boxes = findBoxes(map.data, place)
    Tensor.free(input)
    Tensor.free(map)
    return { boxes, closer: closerLook(boxes, place) }
  })

  return {
    detect: Effect.fnUntraced(function*({ image }) {
      const shrunk = yield* shrink(image)
      const first = yield* look(image, shrunk)
      return first.closer === undefined ? first.boxes : (yield* look(image, shrunk, first.closer)).boxes
    })
  }
})).pipe(Resources.require({ cpu: 0.3, memory: "400 MiB" }))
