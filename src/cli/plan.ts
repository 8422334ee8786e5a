/** `chorale plan`: what would run where, held against this machine. */
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import * as Deployment from "../Deployment.ts"
import * as Machine from "../node/Machine.ts"
import { fail } from "./ExitCode.ts"
import * as Flags from "./flags.ts"
import { describe, load } from "./load.ts"
import { print } from "./output.ts"

export const plan = Command.make(
  "plan",
  {
    ...Flags.deployment,
    placement: Flags.placement,
    json: Flags.json
  },
  Effect.fnUntraced(function*({ json, placement, ...options }) {
    const loaded = yield* load(options)
    const configuration = yield* loaded.configuration
    const inventory = yield* Machine.inventory
    yield* Effect.mapError(
      Deployment.check(loaded.deployment, configuration === undefined ? {} : { configuration }),
      (error) => fail("deployment", error.message)
    )
    const description = describe(loaded.deployment, configuration, { placement: Option.getOrUndefined(placement) })
    const planned = Deployment.plan(description, inventory)
    yield* print(json, planned, () => Deployment.drawPlan(planned))
    if (planned.short.length > 0) {
      return yield* fail("deployment", `this machine has too little ${planned.short.join(" and ")}`)
    }
  })
).pipe(
  Command.withDescription("Says what would run where, and holds what it needs against this machine.")
)
