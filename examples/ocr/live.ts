/** The whole pipeline in one process. */
import { NodeFileSystem } from "@effect/platform-node"
import { Resources } from "chorale"
import { Layer } from "effect"
import { OrientationClassifierLive } from "./classifier.ts"
import { TextDetectorLive } from "./detector.ts"
import { OcrLive } from "./ocr.ts"
import { TextRecognizerLive } from "./recognizer.ts"
import { Turns } from "./turns.ts"

/** The models of the pipeline, each with what it needs. */
export const models = [TextDetectorLive, OrientationClassifierLive, TextRecognizerLive] as const

/** The three models and the pipeline that is made of them; the resources of all are planned before one is loaded. */
export const AllInOne = OcrLive.pipe(
  Layer.provideMerge(Layer.mergeAll(...models)),
  Layer.provideMerge(Resources.layer(models)),
  Layer.provide([NodeFileSystem.layer, Turns.layer])
)
