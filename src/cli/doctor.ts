/** `chorale doctor`: whether this machine has what deployments need. */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { checks, type Finding } from "./doctor/checks.ts"
import { fail } from "./ExitCode.ts"
import * as Flags from "./flags.ts"
import { print } from "./output.ts"

export const doctor = Command.make(
  "doctor",
  {
    port: Flag.Int("port").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("The port that is to be free: 3000"),
      Flag.filter((port) => port > 0 && port < 65_536, (port) => `Expected a port from 1 to 65535, got: ${port}`),
      Flag.withDefault(3000)
    ),
    json: Flags.json
  },
  Effect.fnUntraced(function*({ json, port }) {
    const findings = yield* Effect.all(checks(port), { concurrency: "unbounded" })
    yield* print(json, findings, () => findings.map(draw).join("\n"))
    const failed = findings.filter(({ verdict }) => verdict === "failed").map(({ name }) => name)
    if (failed.length > 0) return yield* fail("failed", `not as it should be: ${failed.join(", ")}`)
  })
).pipe(
  Command.withDescription(
    "Looks whether this machine has what deployments need: Node, ONNX Runtime, GPUs, a free port."
  )
)

const draw = ({ advice, detail, name, verdict }: Finding): string =>
  `${marks[verdict]} ${name.padEnd(14)} ${detail}${advice === undefined ? "" : `\n  ${advice}`}`

const marks = { ok: "✓", note: "·", failed: "✗" }
