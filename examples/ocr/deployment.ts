/** The pipeline as a deployment: the same models as one process, as processes, or as containers. */
import { NodeFileSystem } from "@effect/platform-node"
import { Deployment } from "chorale"
import { OrientationClassifierLive } from "./classifier.ts"
import { Ocr, OrientationClassifier, TextDetector, TextRecognizer } from "./contracts.ts"
import { TextDetectorLive } from "./detector.ts"
import { OcrLive } from "./ocr.ts"
import { TextRecognizerLive } from "./recognizer.ts"
import { Turns } from "./turns.ts"

export default Deployment.make("ocr", {
  detector: Deployment.unit(TextDetector, TextDetectorLive, { provide: Turns.layer }),
  classifier: Deployment.unit(OrientationClassifier, OrientationClassifierLive),
  recognizer: Deployment.unit(TextRecognizer, TextRecognizerLive, { provide: NodeFileSystem.layer }),
  ocr: Deployment.unit(Ocr, OcrLive, {
    dependsOn: [TextDetector, OrientationClassifier, TextRecognizer],
    provide: Turns.layer,
    expose: true
  })
})
