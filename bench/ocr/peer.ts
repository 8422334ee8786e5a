/** The peer on the same models, as its documentation starts it: everything on the main thread. */
import { answer } from "../child.ts"
import { type Reader, reader } from "./reader.ts"

const { default: Ocr } = await import("@gutenye/ocr-node")
const ocr: { readonly detect: (path: string) => Promise<ReadonlyArray<{ readonly text: string }>> } = await Ocr.create()

answer<Reader>(reader(async (path) => {
  const lines = await ocr.detect(path)
  return lines.map(({ text }) => text).join("\n")
}))
