/** What a replica writes to its standard output and error: each line in the log, and the last ones kept for an error. */
import { Effect } from "effect"
import type { Readable } from "node:stream"
import { StringDecoder } from "node:string_decoder"
import * as CallContext from "../../internal/callContext.ts"
import { ReplicaText } from "../../internal/replicaText.ts"

/** Takes what was written to one stream, as it comes. */
export interface Lines {
  readonly push: (chunk: string | Uint8Array) => void
  readonly end: () => void
}

export interface Output {
  readonly stdout: Lines
  readonly stderr: Lines
  /** The last lines that were written to the standard error. */
  readonly lastLines: () => ReadonlyArray<string>
}

/** Logs the lines of a replica under its name. */
export const make = Effect.fnUntraced(function*(name: string) {
  const context = CallContext.ofLayer(yield* Effect.context<never>())
  const worded = yield* ReplicaText
  const runFork = Effect.runForkWith(context)
  const last: Array<string> = []
  const log = (write: Effect.Effect<void>) => {
    runFork(Effect.annotateLogs(write, { replica: name }))
  }
  const output: Output = {
    stdout: lines((text) => log(Effect.logInfo(worded(text)))),
    stderr: lines((text) => {
      const line = worded(text)
      last.push(line)
      if (last.length > keptLines) last.shift()
      log(Effect.logWarning(line))
    }),
    lastLines: () => last.slice()
  }
  return output
})

const keptLines = 20

/** Reads a stream until it ends. */
export const read = (stream: Readable | null, { end, push }: Lines): void => {
  stream?.on("data", push)
  stream?.on("close", end)
}

/** Calls a function with every line that is not empty; what is longer than a line may be comes in parts of that length. */
export const lines = (use: (line: string) => void): Lines => {
  const decoder = new StringDecoder("utf8")
  let partial = ""
  const flush = (text: string) => {
    for (let from = 0; from < text.length; from += longestLine) use(text.slice(from, from + longestLine))
  }
  const end = () => {
    const text = partial
    partial = ""
    flush(text)
  }
  return {
    push: (chunk) => {
      const all = (partial + (typeof chunk === "string" ? chunk : decoder.write(chunk))).split(/\r?\n/)
      partial = all.pop() ?? ""
      for (const line of all) flush(line)
      if (partial.length >= longestLine) end()
    },
    end
  }
}

const longestLine = 8 * 1024
