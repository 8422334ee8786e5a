/** One line for each request that was answered: JSON for machines, or a short line for a terminal. */
import { Console, Context } from "effect"

/** What is told of a request: nothing of its bodies, its query or its headers. */
export interface Entry {
  readonly time: Date
  readonly method: string
  /** At most 200 characters of it. */
  readonly path: string
  readonly status: number
  readonly milliseconds: number
  readonly traceId: string | undefined
}

/** `true` is JSON unless the standard output is a terminal. */
export type Option = boolean | "json" | "pretty"

export type Write = (entry: Entry, context: Context.Context<never>) => void

export const make = (option: Option): Write | undefined => {
  if (option === false) return undefined
  const format = option === "pretty" || option === true && isTerminal() ? toLine : toJson
  return (entry, context) => Context.get(context, Console.Console).log(format(entry))
}

export const toJson = ({ method, milliseconds, path, status, time, traceId }: Entry): string =>
  JSON.stringify({
    time: time.toISOString(),
    level: status >= 500 ? "error" : "info",
    message: "request",
    method: bounded(method, 10),
    path: bounded(path, 200),
    status,
    duration_ms: Math.round(milliseconds * 1000) / 1000,
    ...traceId === undefined ? {} : { trace_id: traceId }
  })

export const toLine = ({ method, milliseconds, path, status, time }: Entry): string =>
  `${time.toISOString().slice(11, 23)} ${status} ${bounded(method, 10)} ${printable(bounded(path, 200))} ${
    milliseconds.toFixed(1)
  } ms`

const bounded = (text: string, length: number): string => text.length <= length ? text : `${text.slice(0, length)}...`

/** A terminal obeys what it is sent. */
const printable = (text: string): string => text.replace(/[^\x21-\x7e]/g, "?")

const isTerminal = (): boolean => typeof process !== "undefined" && process.stdout?.isTTY === true
