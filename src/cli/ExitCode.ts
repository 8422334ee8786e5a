/**
 * What the exit code of `chorale` says.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | it did what it was asked; `serve` was told to stop and has answered every call that it had taken |
 * | 1 | it failed: a unit did not start, a call failed, a file could not be written, a check of `doctor` did not pass |
 * | 2 | the command line is wrong: a flag, an argument, the payload of a call |
 * | 3 | the deployment is wrong: there is no such module, or it has no deployment, or it or `chorale.yaml` is refused |
 * | 4 | an address is wrong: the port is in use, or nothing answers at the URL |
 * | 130 | it was interrupted |
 */
import { Data, Runtime } from "effect"

/** The exit codes by name. */
export const codes = { done: 0, failed: 1, usage: 2, deployment: 3, address: 4, interrupted: 130 } as const

/** Why a command ends otherwise than well: what is printed, and the exit code. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly exit: Exclude<keyof typeof codes, "done" | "interrupted">
  readonly message: string
}> {
  override readonly [Runtime.errorExitCode] = codes[this.exit]
}

/** A failure of a command. */
export const fail = (exit: CommandFailed["exit"], message: string): CommandFailed =>
  new CommandFailed({ exit, message })
