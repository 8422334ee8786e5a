/** The lines of text in maps of probabilities that are drawn here. */
import { assert, describe, it } from "@effect/vitest"
import { type Box, closerLook, findBoxes } from "../../../examples/ocr/boxes.ts"
import type { Corners, Point } from "../../../examples/ocr/crop.ts"

const draw = (rows: number, columns: number, probability: (x: number, y: number) => number) =>
  Float32Array.from(
    { length: rows * columns },
    (_, index) => probability(index % columns + 0.5, Math.floor(index / columns) + 0.5)
  )

const inside = (left: number, top: number, right: number, bottom: number) => (x: number, y: number) =>
  x > left && x < right && y > top && y < bottom

const only = (left: number, top: number, right: number, bottom: number) => (x: number, y: number) =>
  inside(left, top, right, bottom)(x, y) ? 1 : 0

const find = (map: Float32Array, columns: number, scale = 1, width = columns, height = map.length / columns) =>
  findBoxes(map, { columns, scale, width, height })

const closeTo = (actual: Corners, expected: ReadonlyArray<Point>, tolerance = 0.01) =>
  actual.forEach(([x, y], index) => {
    assert.closeTo(x, expected[index]![0], tolerance, JSON.stringify(actual))
    assert.closeTo(y, expected[index]![1], tolerance, JSON.stringify(actual))
  })

describe("findBoxes", () => {
  it("an empty map has no boxes", () => {
    assert.deepStrictEqual(find(new Float32Array(64 * 32), 64), [])
    assert.deepStrictEqual(find(new Float32Array(0), 64), [])
  })

  it("an upright rectangle of probability becomes one box, larger on all sides by area * 1.6 / perimeter", () => {
    const isText = inside(20, 30, 60, 40)
    const [box, ...others] = find(draw(80, 100, (x, y) => isText(x, y) ? 0.9 : 0.1), 100)
    assert.deepStrictEqual(others, [])
    const margin = 40 * 10 * 1.6 / 100
    closeTo(box!.corners, [
      [20 - margin, 30 - margin],
      [60 + margin, 30 - margin],
      [60 + margin, 40 + margin],
      [20 - margin, 40 + margin]
    ])
    assert.closeTo(box!.score, 0.9, 1e-6)
  })

  it("a rotated rectangle of probability becomes one box with its four corners, clockwise from the top left", () => {
    for (const degrees of [-40, -10, 3, 20, 44]) {
      const angle = degrees * Math.PI / 180
      const at = (along: number, across: number): Point => [
        100 + along * Math.cos(angle) - across * Math.sin(angle),
        100 + along * Math.sin(angle) + across * Math.cos(angle)
      ]
      const isText = (x: number, y: number) =>
        Math.abs((x - 100) * Math.cos(angle) + (y - 100) * Math.sin(angle)) < 60 &&
        Math.abs((y - 100) * Math.cos(angle) - (x - 100) * Math.sin(angle)) < 12
      const boxes = find(draw(200, 200, (x, y) => isText(x, y) ? 1 : 0), 200)
      assert.strictEqual(boxes.length, 1)
      const margin = 120 * 24 * 1.6 / 288
      const along = 60 + margin
      const across = 12 + margin
      closeTo(boxes[0]!.corners, [at(-along, -across), at(along, -across), at(along, across), at(-along, across)], 3)
    }
  })

  it("what touches by a corner is one box, and what is a pixel apart is two", () => {
    const pair = (gap: number) => (x: number, y: number) =>
      inside(10, 10, 50, 14)(x, y) || inside(50 + gap, 14, 90, 18)(x, y) ? 1 : 0.25
    const mirrored = (gap: number) => (x: number, y: number) => pair(gap)(100 - x, y)
    for (const shape of [pair, mirrored]) {
      assert.strictEqual(find(draw(30, 100, shape(0)), 100).length, 1)
      assert.strictEqual(find(draw(30, 100, shape(1)), 100).length, 2)
    }
  })

  it("branches that meet only further down are one box", () => {
    const isText = (x: number, y: number) =>
      inside(10, 10, 20, 40)(x, y) || inside(22, 10, 32, 40)(x, y) || inside(34, 10, 44, 40)(x, y) ||
      inside(10, 36, 44, 40)(x, y)
    assert.strictEqual(find(draw(60, 60, (x, y) => isText(x, y) ? 1 : 0), 60).length, 1)
  })

  it("a component of a single pixel, or thinner than three, is no line", () => {
    assert.deepStrictEqual(find(draw(32, 64, only(5, 5, 6, 6)), 64), [])
    assert.deepStrictEqual(find(draw(32, 64, only(5, 5, 60, 7)), 64), [])
    assert.strictEqual(find(draw(32, 64, only(5, 5, 60, 8)), 64).length, 1)
  })

  it("a component whose mean is below 0.6 is no line", () => {
    const isText = inside(10, 10, 50, 20)
    assert.deepStrictEqual(find(draw(32, 64, (x, y) => isText(x, y) ? 0.59 : 0), 64), [])
    assert.strictEqual(find(draw(32, 64, (x, y) => isText(x, y) ? 0.61 : 0), 64).length, 1)
  })

  it("a box that touches the border is cut off at it", () => {
    const [top] = find(draw(32, 64, only(0, 0, 64, 10)), 64)
    const margin = 640 * 1.6 / 148
    assert.strictEqual(top!.score, 1)
    closeTo(top!.corners, [[0, 0], [64, 0], [64, 10 + margin], [0, 10 + margin]])
    const [bottom] = find(draw(32, 64, only(0, 22, 64, 32)), 64)
    closeTo(bottom!.corners, [[0, 22 - margin], [64, 22 - margin], [64, 32], [0, 32]])
  })

  it("the box lies on the one straight side of a component, whichever that is", () => {
    const inDisc = (x: number, y: number) => (x - 50) ** 2 + (y - 50) ** 2 < 40 ** 2
    const halves = [
      [(x: number, y: number) => inDisc(x, y) && y < 50, [10, 10, 90, 50]],
      [(x: number, y: number) => inDisc(x, y) && y > 50, [10, 50, 90, 90]],
      [(x: number, y: number) => inDisc(x, y) && x < 50, [10, 10, 50, 90]],
      [(x: number, y: number) => inDisc(x, y) && x > 50, [50, 10, 90, 90]]
    ] as const
    const margin = 80 * 40 * 1.6 / 240
    for (const [isText, [left, top, right, bottom]] of halves) {
      const boxes = find(draw(140, 140, (x, y) => isText(x - 20, y - 20) ? 1 : 0), 140)
      assert.strictEqual(boxes.length, 1)
      const [x1, y1, x2, y2] = [left + 20 - margin, top + 20 - margin, right + 20 + margin, bottom + 20 + margin]
      closeTo(boxes[0]!.corners, [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], 1)
    }
  })

  it("corners are clockwise from the top left, whichever way a component points", () => {
    for (let degrees = 0; degrees < 360; degrees += 15) {
      const [cos, sin] = [Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180)]
      const isText = (along: number, across: number) => across > -15 && across < 15 && along > 2 * Math.abs(across) - 30
      const map = draw(
        160,
        160,
        (x, y) =>
          isText((x - 80) * cos + (y - 80) * sin, (y - 80) * cos - (x - 80) * sin) && inside(40, 40, 120, 120)(x, y)
            ? 1
            : 0.29
      )
      const [box] = find(map, 160)
      const [topLeft, topRight, bottomRight, bottomLeft] = box!.corners
      assert.isTrue(topLeft[0] < topRight[0] && bottomLeft[0] < bottomRight[0], String(degrees))
      assert.isTrue(topLeft[1] < bottomLeft[1] && topRight[1] < bottomRight[1], String(degrees))
    }
  })

  it("corners are in the pixels of the picture, and what the map shows beyond the picture is not looked at", () => {
    const isText = (x: number, y: number) => inside(10, 10, 50, 20)(x, y) || inside(10, 28, 50, 32)(x, y)
    const boxes = find(draw(32, 64, (x, y) => isText(x, y) ? 1 : 0), 64, 0.5, 120, 54)
    assert.strictEqual(boxes.length, 1)
    const margin = 400 * 1.6 / 100
    closeTo(boxes[0]!.corners, [
      [20 - 2 * margin, 20 - 2 * margin],
      [100 + 2 * margin, 20 - 2 * margin],
      [100 + 2 * margin, 40 + 2 * margin],
      [20 - 2 * margin, 40 + 2 * margin]
    ])
  })

  it("a box that stands upright is higher than wide", () => {
    const [box] = find(draw(64, 32, only(10, 10, 20, 50)), 32)
    const [[left, top], [right], [, bottom]] = box!.corners
    assert.isTrue(left < right && bottom - top > right - left)
  })
})

describe("closerLook", () => {
  const lines = (height: number): ReadonlyArray<Box> => [
    { corners: [[0, 0], [400, 0], [400, height], [0, height]], score: 1 },
    { corners: [[0, 100], [400, 100], [400, 100 + height], [0, 100 + height]], score: 1 }
  ]
  const picture = { scale: 0.5, width: 1400, height: 1000 }

  it("asks for no more when lines are high enough, when there are none, and when the picture was not shrunk", () => {
    assert.isUndefined(closerLook(lines(40), picture))
    assert.isUndefined(closerLook([], picture))
    assert.isUndefined(closerLook(lines(10), { ...picture, scale: 1 }))
  })

  it("asks for a side at which low lines have 24 pixels, and for 1600 at most", () => {
    assert.strictEqual(closerLook(lines(32), picture), 1400 * 24 / 32)
    assert.strictEqual(closerLook(lines(8), picture), 1600)
  })
})
