/** The pipeline of the example, as its program starts it. */
import { Machine } from "chorale/node"
import { Layer, ManagedRuntime } from "effect"
import { readFile } from "node:fs/promises"
import { Ocr } from "../../examples/ocr/contracts.ts"
import { AllInOne } from "../../examples/ocr/live.ts"
import { answer } from "../child.ts"
import { type Reader, reader } from "./reader.ts"

const runtime = ManagedRuntime.make(AllInOne.pipe(Layer.provide(Machine.layer)))
const ocr = await runtime.runPromise(Ocr)

answer<Reader>(reader(async (path) => {
  const lines = await runtime.runPromise(ocr.read({ image: await readFile(path) }))
  return lines.map(({ text }) => text).join("\n")
}))
