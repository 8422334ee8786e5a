/** What the models of the pipeline can do, and what the pipeline itself can do: schemas, and nothing of how. */
import { Model, Tensor } from "chorale"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

/** A picture: height, width and the channels red, green and blue. */
export const Image = Tensor.schema("uint8", ["height", "width", 3])

/** A place in a picture in pixels, x to the right and y down. */
export const Point = Schema.Tuple([Schema.Finite, Schema.Finite])

/** The corners of a line of text, clockwise from its top left. */
export const Corners = Schema.Tuple([Point, Point, Point, Point])

/** A line of text that was found, and how sure the detector is of it. */
export const Box = Schema.Struct({ corners: Corners, score: Schema.Finite })

/** A line of text that was read, and the mean probability of its characters. */
export const Line = Schema.Struct({ text: Schema.String, confidence: Schema.Finite, box: Corners })

/** The file cannot be read as a picture. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  reason: Schema.Literals(["empty", "not an image", "too large", "damaged"])
}, { httpApiStatus: 422 }) {
  override get message(): string {
    return `the file cannot be read as a picture: it is ${this.reason}`
  }
}

/** Finds the lines of text of a picture. */
export class TextDetector extends Model.Service<TextDetector>()("ocr/TextDetector", [
  Rpc.make("detect", { payload: { image: Image }, success: Schema.Array(Box) })
]) {}

/** Says whether a line of text is upside down. */
export class OrientationClassifier extends Model.Service<OrientationClassifier>()("ocr/OrientationClassifier", [
  Rpc.make("classify", {
    payload: { line: Image },
    success: Schema.Struct({ turned: Schema.Boolean, confidence: Schema.Finite })
  })
]) {}

/** Reads one upright line of text. */
export class TextRecognizer extends Model.Service<TextRecognizer>()("ocr/TextRecognizer", [
  Rpc.make("recognize", {
    payload: { line: Image },
    success: Schema.Struct({ text: Schema.String, confidence: Schema.Finite })
  })
]) {}

/** Reads all the text of a picture file, in reading order. */
export class Ocr extends Model.Service<Ocr>()("ocr/Ocr", [
  Rpc.make("read", { payload: { image: Schema.Uint8Array }, success: Schema.Array(Line), error: Unreadable })
]) {}
