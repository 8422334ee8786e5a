/** The pipeline: three models composed in plain Effect code. */
import { Effect } from "effect"
import { Ocr, OrientationClassifier, TextDetector, TextRecognizer, Unreadable } from "./contracts.ts"
import { crop } from "./crop.ts"
import { decodeImage } from "./decode.ts"
import { type Image, turn } from "./image.ts"
import { readingOrder } from "./order.ts"
import { Turns } from "./turns.ts"

const sureOfOrientation = 0.9
const sureOfText = 0.9
const leastConfidence = 0.5

export const OcrLive = Ocr.toLayer(Effect.gen(function*() {
  const detector = yield* TextDetector
  const classifier = yield* OrientationClassifier
  const recognizer = yield* TextRecognizer
  const turns = yield* Turns

  /** Reads a line the way up that the classifier says, and also the other way where the text is doubtful. */
  const readLine = Effect.fnUntraced(function*(line: Image) {
    const orientation = yield* classifier.classify({ line })
    const turned = orientation.turned && orientation.confidence > sureOfOrientation
    const first = yield* recognizer.recognize({ line: turned ? turn(line) : line })
    if (first.confidence >= sureOfText) return { ...first, turned }
    const second = yield* recognizer.recognize({ line: turned ? line : turn(line) })
    return second.confidence > first.confidence ? { ...second, turned: !turned } : { ...first, turned }
  })

  return {
    read: Effect.fnUntraced(function*({ image: file }) {
      const image = yield* decode(file)
      const boxes = yield* detector.detect({ image })

      const lines = yield* Effect.forEach(
        boxes,
        Effect.fnUntraced(function*({ corners }) {
          const line = yield* turns.run(crop(image, corners))
          return { ...yield* readLine(line), corners }
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
