import { Effect } from "effect"
import sharp from "sharp"
import { type Image, longestDetectorSide } from "./image.ts"

/**
 * The picture no larger than the detector looks at it.
 *
 * A large picture is resized by sharp, on threads of its own: in JavaScript a photo would hold the event loop for tens of
 * milliseconds.
 */
export const shrink = (image: Image): Effect.Effect<Image> => {
  const [height, width, channels] = image.shape
  const scale = longestDetectorSide / Math.max(height, width)
  if (scale >= 1) return Effect.succeed(image)
  return Effect.promise(async () => {
    const { data, info } = await sharp(image.data, { raw: { width, height, channels: 3 } })
      .resize(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)), { fit: "fill" })
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { dtype: "uint8", shape: [info.height, info.width, channels], data }
  })
}
