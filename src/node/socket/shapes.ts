/**
 * Requests and results without the names in them, as the heads of frames.
 *
 * The other end may be anybody: what it has a connection remember is checked and limited. Messages with bytes have their
 * names.
 */
import * as Frames from "../../internal/frames.ts"
import * as Shapes from "../../internal/shapes.ts"
import * as ShortMessage from "../../internal/shortMessage.ts"

/** What a connection keeps of the other end at most; messages of further shapes have their names. */
const maxShapes = 64

/** The names in a shape that is kept, and their characters. */
const maxNames = 256
const maxLength = 4096

const isKept = (description: unknown): description is Shapes.Description =>
  Shapes.isDescriptionOfJson(description, maxNames, maxLength)

/** Gives what splits messages for one connection, each of which is sent unless its frame is longer than `limit` bytes. */
export const makeSplitter = (limit: number): (message: unknown) => Frames.Split => {
  // A message that is not sent tells the other end of no shape.
  const isSent = (text: string) => 3 * text.length + mostAround <= limit
  const write = Shapes.makeWriter<string>({
    takesArrays: false,
    maxShapes,
    isKept,
    write: (values, _, isFirst) => {
      const text = JSON.stringify(values)
      return isFirst && !isSent(text) ? undefined : text
    }
  })
  return (message) => {
    const short = ShortMessage.shorten(message)
    const head = short && write(short)
    return head === undefined ? Frames.split(message, short) : { head, attachments: [] }
  }
}

/** What a frame without attachments has besides its head, in bytes: what it begins with, and what pads the head. */
const mostAround = Frames.fixed + 8

/** Gives what makes messages of the heads that arrive on one connection; nothing of a head that is none. */
export const makeExpander = (): Frames.Expand => {
  const shapes: Array<Shapes.Shape> = []
  const values = new Shapes.Values()
  const shapeAt = (kind: unknown, which: unknown): Shapes.Shape | undefined => {
    if (kind === 4) return typeof which === "number" ? shapes[which] : undefined
    if (shapes.length === maxShapes || !isKept(which)) return undefined
    const shape = Shapes.shapeOf(which)
    shapes.push(shape)
    return shape
  }
  return (head) => {
    if (!Shapes.hasShape(head)) return ShortMessage.expand(head)
    const shape = shapeAt(head[0], head[1])
    if (shape === undefined || head.length !== Shapes.valuesAt + shape.count) return undefined
    values.start(head)
    const message = Shapes.read(values, head[2], shape)
    values.end()
    return message
  }
}
