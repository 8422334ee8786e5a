import type { Corners } from "./crop.ts"

/** Something with a place in a picture; `turned` says that its text was found to be upside down. */
export type Placed = { readonly corners: Corners; readonly turned?: boolean }

/**
 * The rows of a picture from top to bottom, each with its boxes from left to right.
 *
 * Boxes share a row when they overlap by half of the lower one's height, measured along the common slant of all boxes.
 * Rows of upside-down text that follow each other are read from the bottom right.
 */
export const readingOrder = <A extends Placed>(boxes: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const slant = commonSlant(boxes)
  const cos = Math.cos(slant)
  const sin = Math.sin(slant)
  const placed = boxes.map((box) => {
    const xs = box.corners.map(([x, y]) => x * cos + y * sin)
    const ys = box.corners.map(([x, y]) => y * cos - x * sin)
    return { box, left: Math.min(...xs), top: Math.min(...ys), bottom: Math.max(...ys) }
  }).sort((a, b) => a.top + a.bottom - b.top - b.bottom)
  const rows: Array<Array<typeof placed[number]>> = []
  for (const item of placed) {
    const row = rows.findLast((row) => row.some((other) => overlap(item, other) >= 0.5))
    if (row === undefined) rows.push([item])
    else row.push(item)
  }
  return uprighted(rows.map((row) => row.sort((a, b) => a.left - b.left).map((item) => item.box)))
}

type Span = { readonly top: number; readonly bottom: number }

const overlap = (a: Span, b: Span) =>
  (Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)) / Math.min(a.bottom - a.top, b.bottom - b.top)

/** The median angle of the boxes' top sides, in radians, each counted by its length. */
const commonSlant = (boxes: ReadonlyArray<Placed>): number => {
  const sides = boxes.map(({ corners: [[x1, y1], [x2, y2]] }) => ({
    angle: Math.atan2(y2 - y1, x2 - x1),
    length: Math.hypot(x2 - x1, y2 - y1)
  })).sort((a, b) => a.angle - b.angle)
  let half = sides.reduce((sum, side) => sum + side.length, 0) / 2
  return sides.find((side) => (half -= side.length) <= 0)?.angle ?? 0
}

const uprighted = <A extends Placed>(rows: ReadonlyArray<ReadonlyArray<A>>): ReadonlyArray<ReadonlyArray<A>> => {
  const ordered: Array<ReadonlyArray<A>> = []
  let insertion = 0
  for (const row of rows) {
    if (row.length > 0 && row.every((box) => box.turned === true)) {
      ordered.splice(insertion, 0, row.toReversed())
    } else {
      ordered.push(row)
      insertion = ordered.length
    }
  }
  return ordered
}
