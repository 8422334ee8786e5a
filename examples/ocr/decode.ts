/** Picture files to pixels. */
import sharp from "sharp"
import type { Image } from "./image.ts"

/** A picture, or the reason for which the bytes cannot be read as one. */
export type Decoded =
  | { readonly ok: true; readonly image: Image }
  | { readonly ok: false; readonly reason: "empty" | "not an image" | "too large" | "damaged" }

const longestSide = 16_384
const mostPixels = 64_000_000
const signatures = /^(\xff\xd8\xff|\x89PNG|GIF8|RIFF.{4}WEBP|II\*|MM.\*|.{4}ftyp)/s

/**
 * Decodes a JPEG, PNG, WebP, GIF, TIFF or AVIF file to upright RGB, transparency on white, off the main thread.
 *
 * A picture of more than 64 megapixels, or with a side of more than 16,384 pixels, is refused by the size in its
 * header, before any pixel is decoded. One that ends early or holds invalid data is refused rather than partly grey.
 */
export const decodeImage = async (bytes: Uint8Array): Promise<Decoded> => {
  if (bytes.length === 0) return { ok: false, reason: "empty" }
  if (!signatures.test(String.fromCharCode(...bytes.subarray(0, 16)))) return { ok: false, reason: "not an image" }
  const header = await sharp(bytes, { limitInputPixels: false }).metadata().catch(() => undefined)
  if (header === undefined) return { ok: false, reason: "damaged" }
  if (Math.max(header.width, header.height) > longestSide || header.width * header.height > mostPixels) {
    return { ok: false, reason: "too large" }
  }
  const decoded = await sharp(bytes, { autoOrient: true, failOn: "warning", limitInputPixels: mostPixels })
    .flatten({ background: "white" })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(() => undefined)
  if (decoded === undefined) return { ok: false, reason: "damaged" }
  const { data, info } = decoded
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { ok: true, image: { dtype: "uint8", shape: [info.height, info.width, 3], data: pixels } }
}
