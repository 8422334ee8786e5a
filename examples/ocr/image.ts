/**
 * Pictures as values, and the three things the models see of them: the whole picture for the detector, and one upright
 * line of text for the orientation classifier and the recogniser.
 *
 * Coordinates are in pixels and continuous: pixel `i` covers `i` to `i + 1`, so a whole picture has the corners (0, 0)
 * and (width, height).
 */
export type Image = {
  readonly dtype: "uint8"
  readonly shape: readonly [height: number, width: number, channels: number]
  readonly data: Uint8Array
}

/** One picture as a model takes it: batch of one, channels, rows, columns. */
export type Planes = {
  readonly dtype: "float32"
  readonly shape: readonly [batch: number, channels: number, height: number, width: number]
  readonly data: Float32Array
}

/** A place in a picture, x to the right and y down. */
export type Point = readonly [x: number, y: number]

/** The corners of a quadrilateral, clockwise from its top left. */
export type Corners = readonly [topLeft: Point, topRight: Point, bottomRight: Point, bottomLeft: Point]

/** The height in pixels of a line of text as the classifier and the recogniser take it. */
export const lineHeight = 48

const longestDetectorSide = 960
const classifierWidth = 192
const longestLine = 3200
const blue: Normalisation = { channel: 2, mean: 0.485 * 255, deviation: 0.229 * 255 }
const green: Normalisation = { channel: 1, mean: 0.456 * 255, deviation: 0.224 * 255 }
const red: Normalisation = { channel: 0, mean: 0.406 * 255, deviation: 0.225 * 255 }

/** An image of the given size with every sample 0. */
export const blank = (height: number, width: number): Image => ({
  dtype: "uint8",
  shape: [height, width, 3],
  data: new Uint8Array(height * width * 3)
})

/**
 * The whole picture as the detector takes it, and the factor by which it was scaled.
 *
 * A place in the detector's map divided by `scale` is the place in the picture. The picture keeps its proportions in
 * the top left of the tensor, whose sides are multiples of 32.
 */
export const detectorInput = (image: Image): { readonly input: Planes; readonly scale: number } => {
  const [height, width] = image.shape
  const scale = Math.min(1, longestDetectorSide / Math.max(height, width))
  const rows = Math.max(1, Math.round(height * scale))
  const columns = Math.max(1, Math.round(width * scale))
  const planes = emptyPlanes(multipleOf32(rows), multipleOf32(columns))
  resizeInto(image, planes, { rows, columns, normalisations: [blue, green, red] })
  return { input: planes, scale }
}

/**
 * The quadrilateral as an upright line of text, {@link lineHeight} pixels high and in proportion.
 *
 * One that is at least 1.5 times as high as wide is taken for a vertical line and turned a quarter to the left, as
 * PP-OCR does.
 */
export const crop = (image: Image, corners: Corners): Image => {
  const [topLeft, topRight, bottomRight, bottomLeft] = corners
  const width = Math.max(distance(topLeft, topRight), distance(bottomLeft, bottomRight))
  const height = Math.max(distance(topLeft, bottomLeft), distance(topRight, bottomRight))
  return height >= width * 1.5
    ? warp(image, [topRight, bottomRight, bottomLeft, topLeft], height, width)
    : warp(image, corners, width, height)
}

/** The picture turned by 180 degrees. */
export const turn = (image: Image): Image => {
  const turned = blank(image.shape[0], image.shape[1])
  const source = image.data
  const target = turned.data
  for (let from = 0, to = target.length - 3; to >= 0; from += 3, to -= 3) {
    target[to] = source[from]!
    target[to + 1] = source[from + 1]!
    target[to + 2] = source[from + 2]!
  }
  return turned
}

/** A line of text as the orientation classifier takes it: 48 by 192, a shorter line padded with zeros on the right. */
export const classifierInput = (line: Image): Planes => lineInput(line, classifierWidth, classifierWidth)

/** A line of text as the recogniser takes it: 48 high, in proportion. */
export const recognizerInput = (line: Image): Planes => lineInput(line, 8, longestLine)

const lineInput = (line: Image, bucket: number, longest: number): Planes => {
  const [height, width] = line.shape
  const columns = Math.min(longest, Math.max(1, Math.round(width * lineHeight / height)))
  const planes = emptyPlanes(lineHeight, Math.ceil(columns / bucket) * bucket)
  resizeInto(line, planes, { rows: lineHeight, columns, normalisations: [half(2), half(1), half(0)] })
  return planes
}

type Normalisation = { readonly channel: number; readonly mean: number; readonly deviation: number }

const half = (channel: number): Normalisation => ({ channel, mean: 127.5, deviation: 127.5 })

const emptyPlanes = (height: number, width: number): Planes => ({
  dtype: "float32",
  shape: [1, 3, height, width],
  data: new Float32Array(3 * height * width)
})

const multipleOf32 = (size: number) => Math.ceil(size / 32) * 32

const distance = (a: Point, b: Point) => Math.hypot(a[0] - b[0], a[1] - b[1])

/** For each target index the first source index and the weights of it and those after it: box or linear filter. */
const resamplingOf = (from: number, to: number) => {
  const ratio = from / to
  const radius = Math.max(1, ratio)
  const taps = Math.ceil(radius) * 2 + 1
  const firsts = new Int32Array(to)
  const counts = new Int32Array(to)
  const weights = new Float32Array(to * taps)
  for (let index = 0; index < to; index++) {
    const center = (index + 0.5) * ratio - 0.5
    const first = Math.max(0, Math.ceil(center - radius + 1e-6))
    const last = Math.min(from - 1, Math.floor(center + radius - 1e-6))
    let total = 0
    for (let source = first; source <= last; source++) {
      const weight = 1 - Math.abs(source - center) / radius
      weights[index * taps + source - first] = weight
      total += weight
    }
    for (let tap = 0; tap <= last - first; tap++) weights[index * taps + tap]! /= total
    firsts[index] = first
    counts[index] = last - first + 1
  }
  return { firsts, counts, weights, taps }
}

const resizeInto = (
  image: Image,
  planes: Planes,
  { columns, normalisations, rows }: {
    readonly rows: number
    readonly columns: number
    readonly normalisations: ReadonlyArray<Normalisation>
  }
) => {
  const [height, width] = image.shape
  const source = image.data
  const target = planes.data
  const stride = planes.shape[3]
  const plane = planes.shape[2] * stride
  const vertical = resamplingOf(height, rows)
  const horizontal = resamplingOf(width, columns)
  const line = new Float32Array(width * 3)
  for (let row = 0; row < rows; row++) {
    line.fill(0)
    for (let tap = 0; tap < vertical.counts[row]!; tap++) {
      const weight = vertical.weights[row * vertical.taps + tap]!
      const from = (vertical.firsts[row]! + tap) * width * 3
      for (let index = 0; index < line.length; index++) line[index]! += source[from + index]! * weight
    }
    for (let index = 0; index < normalisations.length; index++) {
      const { channel, deviation, mean } = normalisations[index]!
      const to = index * plane + row * stride
      for (let column = 0; column < columns; column++) {
        const taps = horizontal.counts[column]!
        const from = horizontal.firsts[column]! * 3 + channel
        const weights = column * horizontal.taps
        let sum = 0
        for (let tap = 0; tap < taps; tap++) sum += line[from + tap * 3]! * horizontal.weights[weights + tap]!
        target[to + column] = (sum - mean) / deviation
      }
    }
  }
}

/** Samples the quadrilateral by a projective map from the unit square (Heckbert 1989), linear between pixels. */
const warp = (image: Image, corners: Corners, width: number, height: number): Image => {
  const columns = Math.min(longestLine, Math.max(1, Math.round(width * lineHeight / Math.max(height, 1e-6))))
  const line = blank(lineHeight, columns)
  const [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = corners
  const dx1 = x1 - x2
  const dx2 = x3 - x2
  const dy1 = y1 - y2
  const dy2 = y3 - y2
  const sx = x0 - x1 + x2 - x3
  const sy = y0 - y1 + y2 - y3
  const determinant = dx1 * dy2 - dx2 * dy1
  const g = determinant === 0 ? 0 : (sx * dy2 - dx2 * sy) / determinant
  const h = determinant === 0 ? 0 : (dx1 * sy - sx * dy1) / determinant
  const samples = Math.max(1, Math.round(height / lineHeight))
  const share = 1 / (samples * samples)
  const target = line.data
  const source = image.data
  const [imageHeight, imageWidth] = image.shape
  for (let row = 0, to = 0; row < lineHeight; row++) {
    for (let column = 0; column < columns; column++, to += 3) {
      let red = 0
      let green = 0
      let blue = 0
      for (let sample = 0; sample < samples * samples; sample++) {
        const u = (column + (sample % samples + 0.5) / samples) / columns
        const v = (row + (Math.floor(sample / samples) + 0.5) / samples) / lineHeight
        const w = 1 / (g * u + h * v + 1)
        const x = Math.min(imageWidth - 1, Math.max(0, ((x1 - x0 + g * x1) * u + (x3 - x0 + h * x3) * v + x0) * w - 0.5))
        const y = Math.min(imageHeight - 1, Math.max(0, ((y1 - y0 + g * y1) * u + (y3 - y0 + h * y3) * v + y0) * w - 0.5))
        const left = Math.floor(x)
        const top = Math.floor(y)
        const fx = x - left
        const fy = y - top
        const nw = (1 - fx) * (1 - fy)
        const ne = fx * (1 - fy)
        const sw = (1 - fx) * fy
        const se = fx * fy
        const a = (top * imageWidth + left) * 3
        const b = left + 1 < imageWidth ? a + 3 : a
        const below = top + 1 < imageHeight ? imageWidth * 3 : 0
        const c = a + below
        const d = b + below
        red += source[a]! * nw + source[b]! * ne + source[c]! * sw + source[d]! * se
        green += source[a + 1]! * nw + source[b + 1]! * ne + source[c + 1]! * sw + source[d + 1]! * se
        blue += source[a + 2]! * nw + source[b + 2]! * ne + source[c + 2]! * sw + source[d + 2]! * se
      }
      target[to] = red * share + 0.5
      target[to + 1] = green * share + 0.5
      target[to + 2] = blue * share + 0.5
    }
  }
  return line
}
