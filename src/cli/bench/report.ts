/** What a bench has measured, in words: latencies, how calls ended, and where their time went. */
import type { RecordedSpan } from "../../deployment/criticalPath.ts"
import { table } from "../../deployment/table.ts"
import type { Outcome } from "./load.ts"

/** Latencies in milliseconds. */
export interface Summary {
  readonly calls: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly callsPerSecond: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export const summarize = ({ elapsed, latencies, outcomes }: Outcome): Summary => {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? 0
  return {
    calls: sorted.length,
    outcomes: Object.fromEntries(outcomes),
    callsPerSecond: round(sorted.length / elapsed * 1000),
    mean: round(sum(sorted) / Math.max(1, sorted.length)),
    p50: round(at(0.5)),
    p90: round(at(0.9)),
    p99: round(at(0.99)),
    max: round(at(1))
  }
}

/** How many calls took how long: each row is up to a fifth longer than what is above. */
export const drawHistogram = (latencies: ReadonlyArray<number>, width: number): string => {
  const counts = Map.groupBy(latencies, (latency) => Math.floor(Math.log(Math.max(latency, 0.01)) / step))
  const rows = Array.from(counts).toSorted(([a], [b]) => a - b)
  const most = Math.max(...rows.map(([, { length }]) => length))
  const bar = Math.max(10, width - 30)
  return rows.map(([row, { length }]) => {
    const limit = Math.exp((row + 1) * step)
    return `${format(limit).padStart(10)} ms ${String(length).padStart(8)} ${
      "█".repeat(Math.ceil(length / most * bar))
    }`
  }).join("\n")
}

const step = Math.log(1.2)

/** The parts of the time of calls to one method, the mean of each in milliseconds. */
export interface Stages {
  readonly span: string
  readonly calls: number
  readonly total: number
  readonly queue: number
  readonly encode: number
  readonly transport: number
  readonly execute: number
  readonly decode: number
}

const parts = ["queue", "encode", "transport", "execute", "decode"] as const

/** What the spans of calls say; a call within a process has no parts. */
export const stages = (spans: ReadonlyArray<RecordedSpan>): ReadonlyArray<Stages> =>
  Array.from(Map.groupBy(spans, ({ name }) => name), ([span, all]) => {
    const mean = (of: (span: RecordedSpan) => number) => round(sum(all.map(of)) / all.length)
    const part = (name: string) =>
      mean(({ attributes }) => {
        const millis = attributes[`chorale.${name}_ms`]
        return typeof millis === "number" ? millis : 0
      })
    return {
      span,
      calls: all.length,
      total: mean(({ end, start }) => end - start),
      queue: part("queue"),
      encode: part("encode"),
      transport: part("transport"),
      execute: part("execute"),
      decode: part("decode")
    }
  })

export const drawStages = (stages: ReadonlyArray<Stages>): string =>
  table(
    ["span", "calls", "mean ms", ...parts],
    stages.map((stage) => [
      stage.span,
      String(stage.calls),
      format(stage.total),
      ...parts.map((part) => stage[part] === 0 ? "" : format(stage[part]))
    ]),
    { right: [1, 2, 3, 4, 5, 6, 7] }
  )

export const drawSummary = (summary: Summary): string => {
  const { calls, callsPerSecond, max, mean, outcomes, p50, p90, p99 } = summary
  const ends = Object.entries(outcomes).map(([name, count]) => `${name} ${count}`).join(", ")
  return [
    `${calls} calls, ${format(callsPerSecond)} a second: ${ends}`,
    table(["mean", "p50", "p90", "p99", "max"], [[mean, p50, p90, p99, max].map(format)], { right: [0, 1, 2, 3, 4] }),
    "milliseconds"
  ].join("\n")
}

const format = (number: number): string =>
  number.toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: false })

const round = (number: number): number => Number(number.toPrecision(4))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((sum, number) => sum + number, 0)
