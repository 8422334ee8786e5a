import sharp from "sharp"
import type { Image } from "./image.ts"

/** The longest side of a picture that is decoded, in pixels. */
export const longestSide = 16_384

/** The most pixels of a picture that is decoded. */
export const mostPixels = 64_000_000

/** A picture, or the reason for which the bytes do not hold one that can be read. */
export type Decoded =
  | { readonly ok: true; readonly image: Image }
  | { readonly ok: false; readonly reason: "empty" | "not an image" | "too large" | "damaged" }

/**
 * Decodes an image file to upright RGB, transparency on white.
 *
 * The size in the file's header is checked before any pixel is decoded, and a file that ends early or holds invalid
 * data is `"damaged"` rather than partly grey. Runs on libuv's threads.
 */
export const decodeImage = async (bytes: Uint8Array): Promise<Decoded> => {
  if (bytes.length === 0) return { ok: false, reason: "empty" }
  const header = await sharp(bytes, { limitInputPixels: false }).metadata().catch(() => undefined)
  if (header === undefined || header.width * header.height === 0) return { ok: false, reason: "not an image" }
  if (Math.max(header.width, header.height) > longestSide || header.width * header.height > mostPixels) {
    return { ok: false, reason: "too large" }
  }
  const decoded = await sharp(bytes, { autoOrient: true, failOn: "truncated", limitInputPixels: mostPixels })
    .flatten({ background: "white" })
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(() => undefined)
  if (decoded === undefined) return { ok: false, reason: "damaged" }
  const { data, info } = decoded
  return { ok: true, image: { dtype: "uint8", shape: [info.height, info.width, info.channels], data } }
}
