import type { Corners, Point } from "./crop.ts"
import { longestDetectorSide } from "./image.ts"

/** A line of text in a picture and the detector's mean probability inside it. */
export type Box = { readonly corners: Corners; readonly score: number }

const pixelThreshold = 0.3
const boxThreshold = 0.6
const unclipRatio = 1.6
const smallestSide = 3
const lowestLine = 20
const closerLine = 24
const leastEnlargement = 1.2

/**
 * The lines of text in the detector's map of probabilities, in the pixels of the picture.
 *
 * `map` is row-major and `columns` wide; `scale` is what `detectorInput` gave; `width` and `height` are the picture's.
 * This is the post-processing of DB (Liao et al. 2020): pixels above a threshold, their connected components, the
 * smallest rectangle around each, made larger on all sides by area * 1.6 / perimeter because the detector is trained on
 * shrunken text, and cut off at the edges of the picture.
 */
export const findBoxes = (map: Float32Array, { columns, height, scale, width }: {
  readonly columns: number
  readonly scale: number
  readonly width: number
  readonly height: number
}): ReadonlyArray<Box> => {
  const probabilities: Probabilities = {
    data: map,
    stride: columns,
    rows: Math.min(Math.floor(map.length / columns), Math.ceil(height * scale)),
    columns: Math.min(columns, Math.ceil(width * scale))
  }
  const boxes: Array<Box> = []
  for (const outline of outlinesOf(probabilities)) {
    const rectangle = smallestRectangle(convexHull(outline))
    if (Math.min(rectangle.width, rectangle.height) < smallestSide) continue
    const score = meanInside(probabilities, cornersOf(rectangle))
    if (score < boxThreshold) continue
    const margin = rectangle.width * rectangle.height * unclipRatio / (2 * (rectangle.width + rectangle.height))
    const larger = { ...rectangle, width: rectangle.width + 2 * margin, height: rectangle.height + 2 * margin }
    const toPicture = ([x, y]: Point): Point => [clamp(x / scale, width), clamp(y / scale, height)]
    const [topLeft, topRight, bottomRight, bottomLeft] = cornersOf(larger)
    boxes.push({
      corners: [toPicture(topLeft), toPicture(topRight), toPicture(bottomRight), toPicture(bottomLeft)],
      score
    })
  }
  return boxes
}

/**
 * The `longestSide` with which the detector should see the picture again, or `undefined` when what it found will do.
 *
 * The detector loses and joins lines that are lower than some 20 pixels in its map. So a picture that was shrunk and
 * whose median line is lower than that is looked at again, so large that the line has 24 pixels, but with
 * `longestDetectorSide` at most. Of a densely printed A4 page (8 points, 150 dots per inch) two characters in three are
 * lost at the first look and none at the second. Where the first is enough it takes 0.6 of the time that PP-OCR's 960
 * pixels take.
 */
export const closerLook = (boxes: ReadonlyArray<Box>, { height, scale, width }: {
  readonly scale: number
  readonly width: number
  readonly height: number
}): number | undefined => {
  const heights = boxes.map(({ corners: [topLeft, topRight, , bottomLeft] }) =>
    scale * Math.min(distance(topLeft, topRight), distance(topLeft, bottomLeft))
  ).sort((a, b) => a - b)
  const median = heights[Math.floor(heights.length / 2)]
  if (median === undefined || median >= lowestLine || scale * leastEnlargement > 1) return undefined
  return Math.min(longestDetectorSide, Math.round(Math.max(width, height) * scale * closerLine / median))
}

const distance = (a: Point, b: Point) => Math.hypot(a[0] - b[0], a[1] - b[1])

type Probabilities = {
  readonly data: Float32Array
  readonly stride: number
  readonly rows: number
  readonly columns: number
}

const clamp = (value: number, highest: number) => Math.min(highest, Math.max(0, value))

/**
 * The outline of each 8-connected component of pixels above the threshold: in every row the corners of its first and
 * last pixel. Runs of pixels are joined with those they touch in the row above by union-find.
 */
const outlinesOf = ({ columns, data, rows, stride }: Probabilities): Iterable<Array<Point>> => {
  const starts: Array<number> = []
  const ends: Array<number> = []
  const rowOf: Array<number> = []
  const parents: Array<number> = []
  const root = (run: number): number => {
    let current = run
    while (parents[current]! !== current) current = parents[current] = parents[parents[current]!]!
    return current
  }
  let above = 0
  for (let row = 0; row < rows; row++) {
    const first = starts.length
    const offset = row * stride
    for (let column = 0; column < columns; column++) {
      if (!(data[offset + column]! > pixelThreshold)) continue
      const start = column
      while (column < columns && data[offset + column]! > pixelThreshold) column++
      const run = starts.length
      starts.push(start)
      ends.push(column)
      rowOf.push(row)
      parents.push(run)
      while (above < first && ends[above]! < start) above++
      for (let other = above; other < first && starts[other]! <= column; other++) parents[root(run)] = root(other)
    }
    above = first
  }
  const outlines = new Map<number, Array<Point>>()
  for (let run = 0; run < starts.length; run++) {
    const key = root(run)
    const row = rowOf[run]!
    const outline = outlines.get(key)
    if (outline === undefined) outlines.set(key, pixelCorners(row, starts[run]!, ends[run]!))
    else if (outline.at(-1)![1] === row + 1) outline.splice(-2, 2, [ends[run]!, row], [ends[run]!, row + 1])
    else outline.push(...pixelCorners(row, starts[run]!, ends[run]!))
  }
  return outlines.values()
}

const pixelCorners = (row: number, start: number, end: number): Array<Point> => [
  [start, row],
  [start, row + 1],
  [end, row],
  [end, row + 1]
]

/** Andrew's monotone chain. */
const convexHull = (points: Array<Point>): ReadonlyArray<Point> => {
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const lower = chain(points)
  const upper = chain(points.reverse())
  return [...lower, ...upper]
}

const chain = (points: ReadonlyArray<Point>): Array<Point> => {
  const hull: Array<Point> = []
  for (const point of points) {
    while (hull.length >= 2 && cross(hull.at(-2)!, hull.at(-1)!, point) <= 0) hull.pop()
    hull.push(point)
  }
  hull.pop()
  return hull
}

const cross = (origin: Point, a: Point, b: Point) =>
  (a[0] - origin[0]) * (b[1] - origin[1]) - (a[1] - origin[1]) * (b[0] - origin[0])

type Rectangle = {
  readonly center: Point
  readonly direction: Point
  readonly width: number
  readonly height: number
}

/** The rectangle of least area around a convex polygon: one of its sides lies on a side of the polygon. */
const smallestRectangle = (hull: ReadonlyArray<Point>): Rectangle => {
  let smallest: Rectangle = { center: [0, 0], direction: [1, 0], width: 0, height: 0 }
  let area = Infinity
  for (let index = 0; index < hull.length; index++) {
    const from = hull[index]!
    const to = hull[(index + 1) % hull.length]!
    const length = Math.hypot(to[0] - from[0], to[1] - from[1])
    const x = (to[0] - from[0]) / length
    const y = (to[1] - from[1]) / length
    let left = Infinity
    let right = -Infinity
    let top = Infinity
    let bottom = -Infinity
    for (const point of hull) {
      const along = point[0] * x + point[1] * y
      const across = point[1] * x - point[0] * y
      left = Math.min(left, along)
      right = Math.max(right, along)
      top = Math.min(top, across)
      bottom = Math.max(bottom, across)
    }
    if ((right - left) * (bottom - top) >= area) continue
    area = (right - left) * (bottom - top)
    const along = (left + right) / 2
    const across = (top + bottom) / 2
    smallest = upright({
      center: [along * x - across * y, along * y + across * x],
      direction: [x, y],
      width: right - left,
      height: bottom - top
    })
  }
  return smallest
}

/** The same rectangle with its width along the direction within 45 degrees of the x axis. */
const upright = (rectangle: Rectangle): Rectangle => {
  const { center, direction: [x, y], height, width } = rectangle
  if (Math.abs(x) >= Math.abs(y)) return { center, direction: x < 0 ? [-x, -y] : [x, y], width, height }
  return { center, direction: y < 0 ? [-y, x] : [y, -x], width: height, height: width }
}

const cornersOf = ({ center, direction: [x, y], height, width }: Rectangle): Corners => {
  const corner = (along: number, across: number): Point => [
    center[0] + along * width / 2 * x - across * height / 2 * y,
    center[1] + along * width / 2 * y + across * height / 2 * x
  ]
  return [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)]
}

/** The mean of the pixels whose centers are inside a convex quadrilateral. */
const meanInside = ({ columns, data, rows, stride }: Probabilities, corners: Corners): number => {
  const heights = corners.map((corner) => corner[1])
  const last = Math.min(rows - 1, Math.ceil(Math.max(...heights)))
  let total = 0
  let count = 0
  for (let row = Math.max(0, Math.floor(Math.min(...heights))); row <= last; row++) {
    let left = Infinity
    let right = -Infinity
    for (let index = 0; index < 4; index++) {
      const [x1, y1] = corners[index]!
      const [x2, y2] = corners[(index + 1) % 4]!
      if (y1 <= row + 0.5 === y2 <= row + 0.5) continue
      const x = x1 + (x2 - x1) * (row + 0.5 - y1) / (y2 - y1)
      left = Math.min(left, x)
      right = Math.max(right, x)
    }
    const end = Math.min(columns, Math.round(right))
    for (let column = Math.max(0, Math.round(left)); column < end; column++) {
      total += data[row * stride + column]!
      count++
    }
  }
  return count === 0 ? 0 : total / count
}
