/**
 * Pictures as values, and what the three models see of them: the whole picture for the detector, and a line of text for
 * the orientation classifier and the recogniser.
 *
 * The models were trained on OpenCV's order of channels, so every model input is blue, green, red.
 */
import type { Tensor } from "chorale"
import { finish, type Work } from "./work.ts"

/** A picture: height, width and the channels red, green and blue, rows from the top. */
export type Image = Tensor.Tensor<"uint8", 3>

/** A picture as a model takes it: a batch of one, channels, height and width. */
export type Planes = Tensor.Tensor<"float32", 4>

/** The height of a line of text in pixels, as the classifier and the recogniser take it. */
export const lineHeight = 48

/** The longest line that is read, in pixels at {@link lineHeight}: longer ones are squeezed. */
export const longestLine = 3200

/** The longest side of a picture as the detector takes it at a closer look, in pixels. */
export const longestDetectorSide = 1600

const firstDetectorSide = 736
const classifierWidth = 192
const recognizerStep = 8
const blueGreenRed: Normalisation = { means: [123.675, 116.28, 103.53], deviations: [58.395, 57.12, 57.375] }
const aroundZero: Normalisation = { means: [127.5, 127.5, 127.5], deviations: [127.5, 127.5, 127.5] }

/**
 * The whole picture as the detector takes it, and the factor by which it was scaled.
 *
 * The picture keeps its proportions, its longer side is at most `longestSide`, and zeros below and to the right of it
 * make both sides multiples of 32. A place in the detector's map divided by `scale` is the place in the picture. The
 * detector's time grows with the area, and 736 loses nothing of text that is 20 pixels high in it: see `closerLook`.
 */
export const detectorInput = function*(
  image: Image,
  longestSide: number = firstDetectorSide
): Work<{ readonly input: Planes; readonly scale: number }> {
  const [height, width] = image.shape
  const scale = Math.min(1, longestSide / Math.max(height, width))
  const rows = Math.max(1, Math.round(height * scale))
  const columns = Math.max(1, Math.round(width * scale))
  const input = emptyPlanes(multipleOf(32, rows), multipleOf(32, columns))
  yield* resample(image, input, { rows, columns, ...blueGreenRed })
  return { input, scale }
}

/**
 * The beginning of a line of text as the orientation classifier takes it, 48 by 192: what is beyond is cut off.
 *
 * PP-OCR squeezes the whole line into that width. Of 448 lines, half of them upside down, that got 10 wrong and the
 * beginning 1.
 */
export const classifierInput = (line: Image): Planes => {
  const input = emptyPlanes(lineHeight, classifierWidth)
  finish(resample(line, input, { rows: lineHeight, columns: lineColumns(line), ...aroundZero }))
  return input
}

/**
 * A line of text as the recogniser takes it: 48 high, in proportion, with zeros up to a multiple of 8.
 *
 * The model makes one step of 8 columns. Wider buckets and batches do not pay on a CPU: onnxruntime's time is
 * proportional to the columns (12.5 ms for 320 on one thread), also when every call has another width.
 */
export const recognizerInput = (line: Image): Planes => {
  const columns = lineColumns(line)
  const input = emptyPlanes(lineHeight, multipleOf(recognizerStep, columns))
  finish(resample(line, input, { rows: lineHeight, columns, ...aroundZero }))
  return input
}

/** The picture turned by 180 degrees. */
export const turn = (image: Image): Image => {
  const source = image.data
  const data = new Uint8Array(source.length)
  for (let from = 0, to = data.length - 3; to >= 0; from += 3, to -= 3) {
    data[to] = source[from]!
    data[to + 1] = source[from + 1]!
    data[to + 2] = source[from + 2]!
  }
  return { dtype: "uint8", shape: image.shape, data }
}

type Normalisation = {
  readonly means: readonly [blue: number, green: number, red: number]
  readonly deviations: readonly [blue: number, green: number, red: number]
}

const emptyPlanes = (height: number, width: number): Planes => ({
  dtype: "float32",
  shape: [1, 3, height, width],
  data: new Float32Array(3 * height * width)
})

const multipleOf = (step: number, size: number) => Math.ceil(size / step) * step

const lineColumns = ({ shape: [height, width] }: Image) =>
  Math.min(longestLine, Math.max(1, Math.round(width * lineHeight / Math.max(1, height))))

/** Resizes to `rows` by `columns`, as many columns of it as there is room for, and normalises, in one pass. */
const resample = function*(image: Image, planes: Planes, { columns, deviations, means, rows }: Normalisation & {
  readonly rows: number
  readonly columns: number
}): Work<void> {
  const [height, width] = image.shape
  if (height === 0 || width === 0) return
  const source = image.data
  const target = planes.data
  const stride = planes.shape[3]
  const plane = planes.shape[2] * stride
  const shown = Math.min(columns, stride)
  const vertical = kernels(height, rows)
  const { counts, firsts, taps, weights } = kernels(width, columns)
  const [blueScale, greenScale, redScale] = [1 / deviations[0], 1 / deviations[1], 1 / deviations[2]]
  const [blueShift, greenShift, redShift] = [means[0] * blueScale, means[1] * greenScale, means[2] * redScale]
  const length = width * 3
  const line = new Float32Array(length)
  const fillRow = (row: number) => {
    line.fill(0)
    let start = vertical.firsts[row]! * length
    const lastWeight = row * vertical.taps + vertical.counts[row]!
    for (let tap = row * vertical.taps; tap < lastWeight; tap++, start += length) {
      const weight = vertical.weights[tap]!
      for (let index = 0; index < length; index++) line[index]! += source[start + index]! * weight
    }
    for (let column = 0, to = row * stride; column < shown; column++, to++) {
      let from = firsts[column]! * 3
      const last = column * taps + counts[column]!
      let red = 0
      let green = 0
      let blue = 0
      for (let tap = column * taps; tap < last; tap++, from += 3) {
        const weight = weights[tap]!
        red += line[from]! * weight
        green += line[from + 1]! * weight
        blue += line[from + 2]! * weight
      }
      target[to] = blue * blueScale - blueShift
      target[to + plane] = green * greenScale - greenShift
      target[to + plane + plane] = red * redScale - redShift
    }
  }
  for (let row = 0; row < rows; row++) {
    fillRow(row)
    yield
  }
}

/**
 * For each of `to` pixels: the first of the `from` pixels that it is made of, how many they are, and their weights.
 *
 * The mean over the area that it covers when shrinking, linear between the two nearest when enlarging.
 */
const kernels = (from: number, to: number) => {
  const ratio = from / to
  const radius = ratio > 1 ? (ratio + 1) / 2 : 1
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
      const weight = Math.min(1, radius - Math.abs(source - center))
      weights[index * taps + source - first] = weight
      total += weight
    }
    for (let tap = 0; tap <= last - first; tap++) weights[index * taps + tap]! /= total
    firsts[index] = first
    counts[index] = last - first + 1
  }
  return { counts, firsts, taps, weights }
}
