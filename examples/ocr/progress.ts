/** Shows how far each model has loaded: a bar per model on a terminal, plain lines elsewhere. */
import { Onnx } from "chorale/onnx"
import { Duration, Effect, Layer, Terminal } from "effect"
import { basename } from "node:path"

const barWidth = 24

/** Tells the steps of every session that is opened below it to the terminal. */
export const Progress = Layer.effect(
  Onnx.Progress,
  Effect.gen(function*() {
    const terminal = yield* Terminal.Terminal
    const print = (text: string) => Effect.ignore(terminal.display(text))
    return process.stdout.isTTY ? bars(print) : lines(print)
  })
)

type Print = (text: string) => Effect.Effect<void>
type Report = (event: Onnx.ProgressEvent) => Effect.Effect<void>

/** Draws all bars again at every step, over the ones drawn before. */
export const bars = (print: Print): Report => {
  const latest = new Map<string, Onnx.ProgressEvent>()
  return (event) => {
    const drawn = latest.size
    latest.set(event.path, event)
    const up = drawn === 0 ? "" : `\x1b[${drawn}A`
    return print(up + Array.from(latest.values(), (event) => `\x1b[2K${drawBar(event)}\n`).join(""))
  }
}

/** Prints a line when a model has loaded. */
export const lines = (print: Print): Report => (event) =>
  event.completed === event.total ? print(`loaded ${describe(event)}\n`) : Effect.void

const drawBar = (event: Onnx.ProgressEvent): string => {
  const filled = Math.round(barWidth * event.completed / event.total)
  const percent = String(Math.round(100 * event.completed / event.total)).padStart(3)
  return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${percent} %  ${describe(event)}`
}

const describe = ({ elapsed, path, replicas }: Onnx.ProgressEvent): string =>
  `${basename(path)}, ${replicas} ${replicas === 1 ? "replica" : "replicas"}, ${
    Math.round(Duration.toMillis(elapsed))
  } ms`
