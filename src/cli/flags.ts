/** Flags that several commands have. */
import { Flag } from "effect/cli"

/** Which deployment, and what is put over it. */
export const deployment = {
  deployment: Flag.String("deployment").pipe(
    Flag.withAlias("d"),
    Flag.withMetavar("path"),
    Flag.withDescription("The module that exports the deployment by default: deployment.ts, .js or .mjs"),
    Flag.optional
  ),
  config: Flag.String("config").pipe(
    Flag.withAlias("c"),
    Flag.withMetavar("path"),
    Flag.withDescription("What is put over the deployment: chorale.yaml, where it is there"),
    Flag.optional
  ),
  profile: Flag.String("profile").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("The profile of the configuration, such as production"),
    Flag.optional
  )
}

/** How the results are written. */
export const json = Flag.Boolean("json").pipe(Flag.withDescription("Write JSON, for programs"), Flag.withDefault(false))

/** Where the units run. */
export const placement = Flag.Literals("placement", ["local", "threads", "processes"]).pipe(
  Flag.withDescription("Where every unit runs, whatever the deployment says: in one process, in threads, in processes"),
  Flag.optional
)

/** How long a replica may take to start. */
export const startTimeout = Flag.Finite("start-timeout").pipe(
  Flag.withMetavar("seconds"),
  Flag.withDescription("How long a replica in a thread or process may take until it is ready: 60 seconds"),
  Flag.filter((seconds) => seconds > 0, (seconds) => `Expected more than 0 seconds, got: ${seconds}`),
  Flag.withDefault(60)
)

/** A server that runs. */
export const url = Flag.String("url").pipe(
  Flag.withMetavar("url"),
  Flag.withDescription("A server that runs, such as http://127.0.0.1:3000; without it the deployment runs in here"),
  Flag.optional
)
