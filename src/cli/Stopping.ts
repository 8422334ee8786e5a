/** With which exit code a command ends that is interrupted. */
import { Context } from "effect"
import { codes } from "./ExitCode.ts"

/** Changed by a command for which it is no failure. */
export interface Stopping {
  exitCode: number
}

/** There is one in each program. */
export const Stopping: Context.Reference<Stopping> = Context.Reference<Stopping>("chorale/cli/Stopping", {
  defaultValue: () => ({ exitCode: codes.interrupted })
})
