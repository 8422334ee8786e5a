/** The pipeline: three models composed in plain Effect code. */
import { Effect } from "effect"
import { Ocr, OrientationClassifier, TextDetector, TextRecognizer, Unreadable } from "./contracts.ts"
import { crop } from "./crop.ts"
import { decodeImage } from "./decode.ts"
import { turn } from "./image.ts"
import { readingOrder } from "./order.ts"

const leastConfidence = 0.5

export const OcrLive = Ocr.toLayer(Effect.gen(function*() {
  const detector = yield* TextDetector
  const classifier = yield* OrientationClassifier
  const recognizer = yield* TextRecognizer

  return {
    read: Effect.fnUntraced(function*({ image: file }) {
      const image = yield* decode(file)
      const boxes = yield* detector.detect({ image })

      const lines = yield* Effect.forEach(
        boxes,
        Effect.fnUntraced(function*({ corners }) {
          yield* nextTurn
          const line = crop(image, corners)
          const { turned } = yield* classifier.classify({ line })
          const { confidence, text } = yield* recognizer.recognize({ line: turned ? turn(line) : line })
          return { text, confidence, turned, corners }
        }),
        { concurrency: 8 }
      )

      const legible = lines.filter(({ confidence, text }) => text !== "" && confidence >= leastConfidence)
      return readingOrder(legible).flat().map(({ confidence, corners, text }) => ({ text, confidence, box: corners }))
    })
  }
}))

const decode = Effect.fnUntraced(function*(file: Uint8Array) {
  const decoded = yield* Effect.promise(() => decodeImage(file))
  if (!decoded.ok) return yield* new Unreadable({ reason: decoded.reason })
  return decoded.image
})

/** Lets other work of the event loop run between two lines. */
const nextTurn = Effect.callback<void>((resume) => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})
