/** Picture files to pixels, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { crc32, deflateSync } from "node:zlib"
import sharp, { type Sharp } from "sharp"
import { decodeImage } from "../../../examples/ocr/decode.ts"

const plain = (
  width: number,
  height: number,
  background: string | { r: number; g: number; b: number; alpha: number }
) => sharp({ create: { width, height, channels: typeof background === "string" ? 3 : 4, background } })

const noise = sharp({
  create: {
    width: 200,
    height: 100,
    channels: 3,
    background: "grey",
    noise: { type: "gaussian", mean: 128, sigma: 40 }
  }
})

const encode = (picture: Sharp) => Effect.promise(() => picture.toBuffer())

const decode = (bytes: Uint8Array) => Effect.promise(() => decodeImage(bytes))

const pixels = Effect.fnUntraced(function*(picture: Sharp) {
  const decoded = yield* decode(yield* encode(picture))
  assert.isTrue(decoded.ok)
  return decoded.image
})

/** A PNG whose header promises more than its data hold. */
const hollow = (width: number, height: number) => {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const length = Buffer.alloc(4)
    const check = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    check.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, check])
  }
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0])
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(100))),
    chunk("IEND", Buffer.alloc(0))
  ])
}

describe("decodeImage", () => {
  it.effect("gives height, width and three channels, rows from the top", () =>
    Effect.gen(function*() {
      const dot = yield* encode(plain(1, 1, "#0000ff").png())
      const image = yield* pixels(plain(3, 2, "#ff8000").composite([{ input: dot, left: 2, top: 0 }]).png())
      assert.deepStrictEqual(image.shape, [2, 3, 3])
      const orange = [255, 128, 0]
      assert.deepStrictEqual([...image.data], [...orange, ...orange, 0, 0, 255, ...orange, ...orange, ...orange])
    }))

  it.effect("gives three channels for grey, transparent, CMYK and 16-bit pictures too", () =>
    Effect.gen(function*() {
      for (
        const picture of [
          plain(4, 3, "white").greyscale().png(),
          plain(4, 3, "white").toColourspace("rgb16").png(),
          plain(4, 3, "white").toColourspace("cmyk").jpeg(),
          plain(4, 3, "white").webp(),
          plain(4, 3, "white").gif(),
          plain(4, 3, "white").tiff()
        ]
      ) {
        const image = yield* pixels(picture)
        assert.deepStrictEqual(image.shape, [3, 4, 3])
        assert.isTrue(image.data.length === 36 && image.data.every((value) => value >= 254))
      }
    }))

  it.effect("puts what is transparent on white", () =>
    Effect.gen(function*() {
      const image = yield* pixels(plain(1, 1, { r: 0, g: 0, b: 0, alpha: 0 }).png())
      assert.deepStrictEqual([...image.data], [255, 255, 255])
    }))

  it.effect("turns a photo upright that says it was taken sideways", () =>
    Effect.gen(function*() {
      const image = yield* pixels(plain(4, 2, "red").jpeg().withMetadata({ orientation: 6 }))
      assert.deepStrictEqual(image.shape, [4, 2, 3])
    }))

  it.effect("refuses no bytes as empty, and what is not a picture as such, SVG included", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* decode(new Uint8Array(0)), { ok: false, reason: "empty" })
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`
      for (const text of ["hello", "%PDF-1.7", svg]) {
        assert.deepStrictEqual(yield* decode(Buffer.from(text)), { ok: false, reason: "not an image" })
      }
    }))

  it.effect("refuses files that end early or hold invalid data as damaged", () =>
    Effect.gen(function*() {
      for (const picture of [noise.clone().jpeg(), noise.clone().png(), noise.clone().webp(), noise.clone().gif()]) {
        const bytes = yield* encode(picture)
        for (const length of [20, bytes.length / 2, bytes.length - 100]) {
          assert.deepStrictEqual(yield* decode(bytes.subarray(0, length)), { ok: false, reason: "damaged" })
        }
      }
      const bytes = yield* encode(noise.clone().png())
      bytes[bytes.length >> 1]! ^= 255
      assert.deepStrictEqual(yield* decode(bytes), { ok: false, reason: "damaged" })
    }))

  it.effect("refuses a picture 40,000 pixels wide as too large", () =>
    Effect.gen(function*() {
      const wide = yield* encode(plain(40_000, 2, "white").png())
      assert.deepStrictEqual(yield* decode(wide), { ok: false, reason: "too large" })
    }))

  it.effect("knows that a picture is too large from its header, before its pixels", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* decode(hollow(40_000, 40_000)), { ok: false, reason: "too large" })
      assert.deepStrictEqual(yield* decode(hollow(10_000, 10_000)), { ok: false, reason: "too large" })
      assert.deepStrictEqual(yield* decode(hollow(100, 100)), { ok: false, reason: "damaged" })
    }))

  it.effect("refuses a header without width", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* decode(hollow(0, 10)), { ok: false, reason: "damaged" })
    }))
})
