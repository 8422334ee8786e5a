/** What the models see of a picture, and the lines cut out of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Crop from "../../../examples/ocr/crop.ts"
import {
  classifierInput,
  detectorInput as planDetectorInput,
  type Image,
  type Planes,
  recognizerInput,
  turn
} from "../../../examples/ocr/image.ts"
import { finish } from "../../../examples/ocr/work.ts"

const crop = (image: Image, corners: Crop.Corners) => finish(Crop.crop(image, corners))
const detectorInput = (image: Image, longestSide?: number) => finish(planDetectorInput(image, longestSide))

type Color = readonly [red: number, green: number, blue: number]

const paint = (width: number, height: number, color: (x: number, y: number) => Color): Image => ({
  dtype: "uint8",
  shape: [height, width, 3],
  data: Uint8Array.from(
    Array.from({ length: width * height }, (_, i) => color(i % width, Math.floor(i / width))).flat()
  )
})

const grey = (level: number): Color => [level, level, level]

const at = ({ data, shape }: Image, x: number, y: number): ReadonlyArray<number> => {
  const from = (y * shape[1] + x) * 3
  return [...data.subarray(from, from + 3)]
}

const valueAt = ({ data, shape }: Planes, channel: number, x: number, y: number) =>
  data[(channel * shape[2] + y) * shape[3] + x]!

describe("detectorInput", () => {
  it("keeps the size of a small picture, with zeros up to multiples of 32", () => {
    const { input, scale } = detectorInput(paint(50, 33, () => [255, 0, 100]))
    assert.strictEqual(scale, 1)
    assert.deepStrictEqual(input.shape, [1, 3, 64, 64])
    assert.strictEqual(valueAt(input, 0, 50, 0), 0)
    assert.strictEqual(valueAt(input, 0, 0, 33), 0)
    assert.notStrictEqual(valueAt(input, 0, 49, 32), 0)
  })

  it("is blue, green, red, each less its mean and over its deviation", () => {
    const { input } = detectorInput(paint(40, 40, () => [255, 0, 100]))
    assert.closeTo(valueAt(input, 0, 20, 20), (100 / 255 - 0.485) / 0.229, 1e-4)
    assert.closeTo(valueAt(input, 1, 20, 20), (0 - 0.456) / 0.224, 1e-4)
    assert.closeTo(valueAt(input, 2, 20, 20), (1 - 0.406) / 0.225, 1e-4)
  })

  it("shrinks a large picture in proportion, and each pixel is the mean of those it covers", () => {
    const fine = paint(800, 400, (x) => grey(x % 4 === 3 ? 200 : 0))
    const { input, scale } = detectorInput(fine, 200)
    assert.strictEqual(scale, 0.25)
    assert.deepStrictEqual(input.shape, [1, 3, 128, 224])
    for (const [x, y] of [[0, 0], [100, 50], [199, 99]] as const) {
      assert.closeTo(valueAt(input, 0, x, y), (50 / 255 - 0.485) / 0.229, 1e-4)
    }
  })

  it("an image of one pixel is one pixel", () => {
    const { input } = detectorInput(paint(1, 1, () => grey(255)))
    assert.deepStrictEqual(input.shape, [1, 3, 32, 32])
    assert.strictEqual(input.data.filter((value) => value !== 0).length, 3)
  })
})

describe("recognizerInput", () => {
  it("is 48 high and in proportion, between -1 and 1, with zeros up to a multiple of 8", () => {
    const input = recognizerInput(paint(50, 24, () => [255, 0, 255]))
    assert.deepStrictEqual(input.shape, [1, 3, 48, 104])
    assert.deepStrictEqual([0, 1, 2].map((channel) => valueAt(input, channel, 99, 47)), [1, -1, 1])
    assert.strictEqual(valueAt(input, 0, 100, 0), 0)
  })

  it("goes smoothly from one pixel to the next when it enlarges", () => {
    const input = recognizerInput(paint(48, 12, (x) => grey(x * 5)))
    for (let x = 3; x < 188; x++) {
      assert.closeTo(valueAt(input, 0, x + 1, 20) - valueAt(input, 0, x, 20), 1.25 / 127.5, 1e-5)
    }
  })
})

describe("classifierInput", () => {
  it("is the first 192 columns of a long line, not squeezed", () => {
    const input = classifierInput(paint(400, 48, (x) => grey(x < 192 ? 255 : 0)))
    assert.deepStrictEqual(input.shape, [1, 3, 48, 192])
    assert.isTrue(input.data.every((value) => value === 1))
  })

  it("has zeros after a short line", () => {
    const input = classifierInput(paint(100, 48, () => grey(255)))
    assert.strictEqual(valueAt(input, 1, 99, 30), 1)
    assert.strictEqual(valueAt(input, 1, 100, 30), 0)
  })
})

describe("turn", () => {
  it("puts each pixel where it is after half a turn, and twice is the same picture", () => {
    const image = paint(5, 3, (x, y) => [x, y, 7])
    assert.deepStrictEqual(at(turn(image), 0, 0), [4, 2, 7])
    assert.deepStrictEqual(at(turn(image), 4, 2), [0, 0, 7])
    assert.deepStrictEqual(turn(turn(image)), image)
  })
})

describe("crop", () => {
  const picture = paint(200, 100, (x, y) => [x, y, (x * 7 + y * 13) % 256])

  it("of an upright rectangle 48 pixels high is its pixels as they are", () => {
    const line = crop(picture, [[20, 30], [120, 30], [120, 78], [20, 78]])
    assert.deepStrictEqual(line.shape, [48, 100, 3])
    for (const [x, y] of [[0, 0], [99, 0], [99, 47], [50, 20]] as const) {
      assert.deepStrictEqual(at(line, x, y), at(picture, x + 20, y + 30))
    }
  })

  it("of the whole picture does not read beyond its edges", () => {
    const line = crop(paint(96, 48, () => [10, 200, 30]), [[0, 0], [96, 0], [96, 48], [0, 48]])
    assert.isTrue(line.data.every((value, index) => value === [10, 200, 30][index % 3]))
  })

  it("is 48 pixels high and in proportion, whatever the size of the text", () => {
    assert.deepStrictEqual(crop(picture, [[0, 0], [60, 0], [60, 12], [0, 12]]).shape, [48, 240, 3])
    assert.deepStrictEqual(crop(picture, [[0, 0], [200, 0], [200, 96], [0, 96]]).shape, [48, 100, 3])
  })

  it("averages what it shrinks", () => {
    const fine = paint(400, 200, (x) => grey(x % 4 === 3 ? 200 : 0))
    const line = crop(fine, [[8, 4], [392, 4], [392, 196], [8, 196]])
    assert.deepStrictEqual(line.shape, [48, 96, 3])
    assert.isTrue(line.data.every((value) => Math.abs(value - 50) <= 1), String(line.data.subarray(0, 30)))
  })

  it("keeps edges sharp where it enlarges: the brightest pixels beside an edge become brighter", () => {
    const edge = paint(40, 12, (x) => grey(x < 20 ? 100 : 200))
    const line = crop(edge, [[0, 0], [40, 0], [40, 12], [0, 12]])
    assert.isAbove(Math.max(...line.data), 203)
    assert.isBelow(Math.min(...line.data), 97)
    assert.isAbove(at(line, 80, 20)[0]!, 150)
    assert.isBelow(at(line, 79, 20)[0]!, 150)
  })

  it("straightens a rotated rectangle: its corners are the corners of the line", () => {
    const angle = Math.PI / 6
    const place = (along: number, across: number) =>
      [
        100 + along * Math.cos(angle) - across * Math.sin(angle),
        100 + along * Math.sin(angle) + across * Math.cos(angle)
      ] as const
    const side = (x: number, y: number) => (x - 100) * Math.cos(angle) + (y - 100) * Math.sin(angle)
    const half = paint(200, 200, (x, y) => grey(side(x + 0.5, y + 0.5) < 0 ? 255 : 0))
    const line = crop(half, [place(-48, -24), place(48, -24), place(48, 24), place(-48, 24)])
    assert.deepStrictEqual(line.shape, [48, 96, 3])
    for (const y of [0, 24, 47]) {
      assert.deepStrictEqual(at(line, 44, y), [255, 255, 255])
      assert.deepStrictEqual(at(line, 52, y), [0, 0, 0])
    }
  })

  it("undoes perspective: the crossing of the diagonals is the middle of the line", () => {
    const corners = [[20, 20], [180, 40], [180, 80], [20, 100]] as const
    const line = crop(picture, corners)
    const [height, width] = line.shape
    const [x = 0, y = 0] = at(line, Math.floor(width / 2), height / 2)
    const share = 80 / (80 + 40)
    assert.closeTo(x, 20 + 160 * share, 2)
    assert.closeTo(y, 60, 2)
  })

  it("turns a vertical line a quarter to the left, so that its top comes first", () => {
    const line = crop(picture, [[40, 4], [64, 4], [64, 100], [40, 100]])
    assert.deepStrictEqual(line.shape, [48, 192, 3])
    const [firstX = 0, firstY = 0] = at(line, 0, 0)
    const [lastX = 0, lastY = 0] = at(line, 191, 47)
    assert.isTrue(Math.abs(firstX - 63) <= 1 && Math.abs(firstY - 4) <= 1, `${firstX} ${firstY}`)
    assert.isTrue(Math.abs(lastX - 40) <= 1 && Math.abs(lastY - 99) <= 1, `${lastX} ${lastY}`)
  })

  it("of a quadrilateral without an area is a line of at least one column", () => {
    assert.deepStrictEqual(crop(picture, [[5, 5], [5, 5], [5, 5], [5, 5]]).shape, [48, 1, 3])
  })
})
