/** `chorale graph`: the units and what they call. */
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Deployment from "../Deployment.ts"
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
    )
  },
  Effect.fnUntraced(function*({ format, json, ...options }) {
    const loaded = yield* load(options)
    const description = describe(loaded.deployment, yield* loaded.configuration)
    yield* Console.log(written[json ? "json" : format](description))
  })
).pipe(
  Command.withDescription("Draws the units of a deployment and what they call."),
  Command.withExamples([
    { command: "chorale graph", description: "Draw it here" },
    { command: "chorale graph --format mermaid > graph.mmd", description: "Write a flow chart for a document" }
  ])
)

const written: Readonly<Record<"text" | "mermaid" | "dot" | "json", (of: Deployment.DeploymentDescription) => string>> =
  {
    text: (description) => Deployment.draw(description, { width: width() }),
    mermaid: Deployment.toMermaid,
    dot: Deployment.toDot,
    json: (description) => JSON.stringify(Deployment.toData(description), undefined, 2)
  }
