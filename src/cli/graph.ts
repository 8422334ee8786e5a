/** `chorale graph`: the units and what they call, and what that took where it was recorded. */
import { Console, Effect, FileSystem, Option } from "effect"
import { Command, Flag } from "effect/cli"
import * as Deployment from "../Deployment.ts"
import { fail } from "./ExitCode.ts"
import * as Flags from "./flags.ts"
import { describe, load } from "./load.ts"
import { width } from "./output.ts"

export const graph = Command.make(
  "graph",
  {
    ...Flags.deployment,
    json: Flags.json,
    format: Flag.Literals("format", ["text", "mermaid", "dot", "json"]).pipe(
      Flag.withDescription("A drawing for the terminal, a Mermaid flow chart, DOT for Graphviz, or JSON"),
      Flag.withDefault("text")
    ),
    observed: Flag.String("observed").pipe(
      Flag.withMetavar("file"),
      Flag.withDescription(
        "Recorded spans, to say what the calls of each edge took: of chorale bench --spans, or a trace of OpenTelemetry " +
          "in JSON"
      ),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ format, json, observed, ...options }) {
    const loaded = yield* load(options)
    const description = describe(loaded.deployment, yield* loaded.configuration)
    const observation = Option.isNone(observed) ? undefined : yield* observe(description, observed.value)
    yield* Console.log(written[json ? "json" : format](description, observation))
  })
).pipe(
  Command.withDescription("Draws the units of a deployment and what they call."),
  Command.withExamples([
    { command: "chorale graph", description: "Draw it here" },
    { command: "chorale graph --format mermaid > graph.mmd", description: "Write a flow chart for a document" },
    { command: "chorale graph --observed spans.json", description: "Show on which edge the latency is spent" }
  ])
)

const observe = Effect.fnUntraced(function*(description: Deployment.DeploymentDescription, file: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(
    files.readFileString(file),
    () => fail("usage", `there is no file ${file} that can be read`)
  )
  const spans = yield* Effect.mapError(
    Effect.fromResult(Deployment.parseSpanFile(text, { file })),
    (error) => fail("usage", error.message)
  )
  const observation = Deployment.observe(description, spans)
  if (observation.edges.length > 0) return observation
  const names = Array.from(new Set(spans.map(({ name }) => name)))
  const some = names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} others` : names.join(", ")
  return yield* fail("usage", `${file} has no call of a service of ${description.name}; its spans are ${some}`)
})

type Write = (description: Deployment.DeploymentDescription, observation?: Deployment.Observation) => string

const written: Readonly<Record<"text" | "mermaid" | "dot" | "json", Write>> = {
  text: (description, observation) =>
    observation === undefined
      ? Deployment.draw(description, { width: width() })
      : Deployment.drawObservation(description, observation),
  mermaid: Deployment.toMermaid,
  dot: Deployment.toDot,
  json: (description, observation) => JSON.stringify(Deployment.toData(description, observation), undefined, 2)
}
