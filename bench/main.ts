/**
 * Measures the library against what a user would have without it.
 *
 * `npm run bench` runs every benchmark, `npm run bench -- NAME` the one of that name or those whose names begin so, and
 * `--list` names them. Both sides are measured in the same run, most in turns: then a ratio is the median of those of
 * each turn, with its quartiles, and otherwise it is that of the medians. A missed target is printed and is no error. The
 * results go to results.json; those of benchmarks that did not run stay as they are.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, FileSystem, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { fileURLToPath } from "node:url"
import {
  type Benchmark,
  describe,
  format,
  type Measured,
  type Options,
  type Series,
  type Target,
  verdict
} from "./benchmark.ts"
import { benchmarks } from "./benchmarks.ts"
import { start } from "./child.ts"
import type { Isolated } from "./isolated.ts"

/** What is kept of a run. `target` is a limit on the ratio or on the value, as `goal` says. */
const Result = Schema.Struct({
  name: Schema.String,
  ratio: Schema.Finite,
  target: Schema.NullOr(Schema.Finite),
  goal: Schema.NullOr(Schema.String),
  value: Schema.Finite,
  baseline: Schema.Finite,
  unit: Schema.String,
  samples: Schema.Int
})
const Results = Schema.fromJsonString(Schema.Array(Result))

const resultsPath = fileURLToPath(new URL("./results.json", import.meta.url))

class Failed extends Schema.TaggedError<Failed>()("Failed", { message: Schema.String }) {}

const list = Effect.forEach(
  benchmarks,
  (benchmark) =>
    Console.log(`${benchmark.name.padEnd(26)} ${goalOf(benchmark) ?? "no target"}\n  ${benchmark.measures}`)
)

const runAll = Effect.fnUntraced(function*(names: ReadonlyArray<string>, options: Options) {
  const selected = names.map((name) => ({ name, matches: select(name) }))
  const unknown = selected.find(({ matches }) => matches.length === 0)
  if (unknown !== undefined) {
    return yield* new Failed({ message: `no benchmark begins with ${unknown.name}; --list names them` })
  }
  const chosen = names.length === 0 ? benchmarks : new Set(selected.flatMap(({ matches }) => matches))
  const failed: Array<string> = []
  for (const benchmark of chosen) {
    yield* runOne(benchmark, options).pipe(
      Effect.catchCause((cause) => {
        failed.push(benchmark.name)
        return Console.error(`${benchmark.name} failed: ${Cause.pretty(cause)}\n`)
      })
    )
  }
  if (failed.length > 0) return yield* new Failed({ message: `${failed.join(", ")} failed` })
})

/** The benchmark of that name or, where there is none, those whose names begin so. */
const select = (name: string): ReadonlyArray<Benchmark> => {
  const exact = benchmarks.filter((benchmark) => benchmark.name === name)
  return exact.length > 0 ? exact : benchmarks.filter((benchmark) => benchmark.name.startsWith(name))
}

const runOne = Effect.fnUntraced(function*(benchmark: Benchmark, options: Options) {
  const isolated = yield* start<Isolated>(new URL("./isolated.ts", import.meta.url))
  const measured = yield* isolated("run", { name: benchmark.name, ...options })
  yield* Console.log(report(benchmark, measured))
  yield* keep(toResult(benchmark, measured))
}, Effect.scoped)

const toResult = (benchmark: Benchmark, { baseline, ratio, value }: Measured): typeof Result.Type => ({
  name: benchmark.name,
  ratio: round(ratio.figure),
  target: benchmark.target?.limit ?? null,
  goal: goalOf(benchmark) ?? null,
  value: round(value.figure),
  baseline: round(baseline.figure),
  unit: benchmark.unit,
  samples: Math.min(value.count, baseline.count)
})

const keep = Effect.fnUntraced(function*(result: typeof Result.Type) {
  const files = yield* FileSystem.FileSystem
  const earlier = (yield* files.exists(resultsPath))
    ? yield* Schema.decodeEffect(Results)(yield* files.readFileString(resultsPath))
    : []
  const results = benchmarks.flatMap(({ name }) =>
    name === result.name ? [result] : earlier.filter((other) => other.name === name)
  )
  yield* files.writeFileString(resultsPath, `${JSON.stringify(results, undefined, 2)}\n`)
})

const report = (benchmark: Benchmark, { baseline, notes, ratio, value }: Measured): string => {
  const { name, target, unit } = benchmark
  const outcome = target === null
    ? "no target"
    : `${goalOf(benchmark)}: ${verdict(isMet(target, ratio.figure, value))}`
  const side = ({ count, figure, high, low }: Series) =>
    `${format(figure)} ${unit} (${format(low)}..${format(high)}, ${count} samples)`
  return [
    `${name.padEnd(26)} ratio ${ratio.count === 1 ? format(ratio.figure) : describe(ratio)}  ${outcome}`,
    `  ${side(value)} over ${side(baseline)}`,
    ...notes.map((note) => `  ${note}`),
    ""
  ].join("\n")
}

const goalOf = ({ target, unit }: Benchmark): string | undefined =>
  target === null ? undefined : `${target.of} ${target.bound} ${target.limit}${target.of === "value" ? ` ${unit}` : ""}`

const isMet = ({ bound, limit, of }: Target, ratio: number, value: Series): boolean => {
  const measured = of === "ratio" ? ratio : value.figure
  return bound === "<=" ? measured <= limit : measured >= limit
}

const round = (number: number): number => Number(number.toPrecision(4))

const command = Command.make("bench", {
  names: Argument.variadic(
    Argument.String("name").pipe(
      Argument.withDescription("the beginning of the names of those to run, by default all")
    )
  ),
  list: Flag.Boolean("list").pipe(Flag.withDescription("only name the benchmarks"), Flag.withDefault(false)),
  full: Flag.Boolean("full").pipe(
    Flag.withDescription("run the long form of benchmarks that have one; takes many minutes"),
    Flag.withDefault(false)
  )
}, (options) => options.list ? list : runAll(options.names, { full: options.full })).pipe(
  Command.withDescription("Measures the library against what a user would have without it.")
)

Command.run(command, { version: "0.3.0" }).pipe(
  Effect.tapError((error) => Console.error(error.message)),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
