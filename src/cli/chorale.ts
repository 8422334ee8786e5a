/** The command of which all others are parts. */
import { Command } from "effect/cli"
import { bench } from "./bench.ts"
import { call } from "./call.ts"
import { doctor } from "./doctor.ts"
import { generate } from "./generate.ts"
import { graph } from "./graph.ts"
import { init } from "./init.ts"
import { plan } from "./plan.ts"
import { serve } from "./serve.ts"

export const chorale = Command.make("chorale").pipe(
  Command.withDescription(
    "Runs, draws, plans and packs applications of several models.\n\n" +
      "It ends with 0 when it has done what it was asked, 1 when it failed, 2 when the command line is wrong, 3 when the " +
      "deployment is, 4 when an address is in use or nothing answers there, and 130 when it was interrupted."
  ),
  Command.withSubcommands([serve, graph, plan, call, bench, generate, init, doctor])
)
