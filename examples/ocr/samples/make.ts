/**
 * Writes the pictures of this folder, and beside each the text that is in it: one line per row, in reading order.
 *
 * The results are committed, so this runs again only to change them. It then needs the DejaVu and Liberation fonts
 * (`fonts-dejavu-core` and `fonts-liberation` in Debian); with others the pictures look different.
 */
import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import sharp from "sharp"
import { type Picture, toSvg } from "./picture.ts"
import { pictures } from "./pictures.ts"

/** Adds noise that is the same in every run: the sum of four random bytes. */
const addNoise = (pixels: Uint8Array, deviation: number): Uint8Array => {
  let state = 1
  const scale = deviation / 147.8
  return Uint8Array.from(pixels, (pixel) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    const mixed = Math.imul(state ^ state >>> 15, 0x2c1b3c6d)
    const random = mixed ^ mixed >>> 13
    const sum = (random & 255) + (random >> 8 & 255) + (random >> 16 & 255) + (random >>> 24)
    return Math.min(255, Math.max(0, Math.round(pixel + (sum - 510) * scale)))
  })
}

const make = async (picture: Picture) => {
  const { blur, height, name, noise, quality, rows, width } = picture
  const drawn = sharp(Buffer.from(toSvg(picture))).flatten({ background: "white" })
  const pixels = await (blur === undefined ? drawn : drawn.blur(blur)).raw().toBuffer()
  const noisy = noise === undefined ? pixels : addNoise(pixels, noise)
  const encoder = sharp(noisy, { raw: { width, height, channels: 3 } })
  const file = (extension: string) => fileURLToPath(new URL(`${name}.${extension}`, import.meta.url))
  if (quality === undefined) await encoder.png({ compressionLevel: 9 }).toFile(file("png"))
  else await encoder.jpeg({ quality }).toFile(file("jpg"))
  const lines = rows.map((row) => row.map((part) => part.text).join(" "))
  await writeFile(file("txt"), lines.map((line) => `${line}\n`).join(""))
}

for (const picture of pictures) await make(picture)
