/**
 * Calls a service hundreds of thousands of times wherever it can run, and looks at what both ends hold on to.
 *
 * `npm run soak` makes 200,000 calls at each location, and `npm run soak -- thread http --calls 20000` fewer at some.
 * For each tenth it prints memory, handles and open files of both ends. It fails where the last tenth holds over 5 % more
 * of something than the second. It needs `--expose-gc`.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { type Held, measure } from "./held.ts"
import { locations } from "./locations.ts"
import { Soak } from "./service.ts"
import * as Traffic from "./traffic.ts"

class Failed extends Schema.TaggedError<Failed>()("Failed", { message: Schema.String }) {}

/** What both ends hold at most when they are looked at in a tenth of the calls. */
interface Tenth {
  readonly caller: Held
  readonly callee: Held
}

const inFlight = 32

/** A pool has more and fewer connections from one moment to the next, below a limit that it does not leave. */
const looks = 5

const soakAt = Effect.fnUntraced(function*(location: string, calls: number) {
  yield* Console.log(`${location}\n${header}`)
  const soak = yield* Soak
  const tenths: Array<Tenth> = []
  for (let tenth = 1; tenth <= 10; tenth++) {
    const seen: Array<Tenth> = []
    let millis = 0
    for (let look = 1; look <= looks; look++) {
      const start = performance.now()
      const until = (part: number) => Math.round(calls / 10 * (tenth - 1 + part / looks))
      yield* Traffic.run(soak, until(look - 1), until(look), inFlight)
      millis += performance.now() - start
      seen.push({ callee: yield* soak.held(), caller: yield* measure })
    }
    const held: Tenth = { callee: most(seen, "callee"), caller: most(seen, "caller") }
    tenths.push(held)
    yield* Console.log(line(tenth, held, calls / 10 / millis * 1000))
  }
  const grown = growth(tenths)
  yield* Console.log(grown.length === 0 ? "  flat\n" : `  GROWN: ${grown.join(", ")}\n`)
  return grown.map((what) => `${location}: ${what}`)
})

const ends = ["caller", "callee"] as const
const memory = ["heapUsed", "external"] as const
const counts = ["resources", "files"] as const

const most = (seen: ReadonlyArray<Tenth>, end: (typeof ends)[number]): Held => {
  const of = (what: keyof Held) => Math.max(...seen.map((tenth) => tenth[end][what]))
  return { heapUsed: of("heapUsed"), external: of("external"), resources: of("resources"), files: of("files") }
}

/** What the last tenth holds more of than the second. */
const growth = (tenths: ReadonlyArray<Tenth>): ReadonlyArray<string> => {
  const [, second] = tenths
  const last = tenths.at(-1)
  if (second === undefined || last === undefined) return []
  return ends.flatMap((end) =>
    [
      ...memory.filter((what) => last[end][what] > 1.05 * second[end][what] + allowance),
      ...counts.filter((what) => last[end][what] > 1.05 * second[end][what])
    ].map((what) => `${what} of the ${end} from ${second[end][what]} to ${last[end][what]}`)
  )
}

// 5 % of a few hundred kilobytes of external memory is less than one buffer that is not yet collected.
const allowance = 64 * 1024

const columns = ["heap KB", "external KB", "handles", "files"]

const header = `  tenth ${
  ends.map((end) => columns.map((name) => `${end} ${name}`.padStart(18)).join("")).join("")
}   calls/s`

const line = (tenth: number, held: Tenth, rate: number): string => {
  const cells = ends.flatMap((end) => {
    const { external, files, heapUsed, resources } = held[end]
    return [Math.round(heapUsed / 1024), Math.round(external / 1024), resources, files]
  })
  return `  ${String(tenth).padStart(5)} ${cells.map((cell) => String(cell).padStart(18)).join("")}${
    String(Math.round(rate)).padStart(10)
  }`
}

const runAll = Effect.fnUntraced(function*(names: ReadonlyArray<string>, calls: number) {
  const grown: Array<string> = []
  for (const name of names.length === 0 ? Object.keys(locations) : names) {
    const layer = locations[name]
    if (layer === undefined) {
      return yield* new Failed({ message: `there is no ${name}, only ${Object.keys(locations).join(", ")}` })
    }
    grown.push(...yield* Effect.provide(soakAt(name, calls), layer))
  }
  if (grown.length > 0) return yield* new Failed({ message: grown.join("\n") })
}, Effect.withTracerEnabled(false))

const command = Command.make("soak", {
  names: Argument.variadic(
    Argument.String("location").pipe(Argument.withDescription("where to call the service, by default everywhere"))
  ),
  calls: Flag.Int("calls").pipe(
    Flag.withDescription("how many calls to make at each location"),
    Flag.withDefault(200_000)
  )
}, ({ calls, names }) => runAll(names, calls)).pipe(
  Command.withDescription("Calls a service for long and looks at what both ends hold on to.")
)

Command.run(command, { version: "0.3.0" }).pipe(
  Effect.tapCause((cause) => Console.error(Cause.pretty(cause))),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
