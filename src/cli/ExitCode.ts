/**
 * What the exit code of `chorale` says.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | it did what it was asked; `serve` was told to stop and has answered every call that it had taken |
 * | 1 | it failed: a unit did not start, a call failed, a file could not be written, a check of `doctor` did not pass |
 * | 2 | the command line is wrong: a flag, an argument, a payload, or a file that they name |
 * | 3 | the deployment is wrong: its module, `chorale.yaml` or a variable of the environment is missing or refused |
 * | 4 | an address is wrong: the port is in use, or nothing answers at the URL |
 * | 130 | it was interrupted |
 */
import { Cause, Config, Data, Runtime, Schema } from "effect"

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

/** What a command ended with; a variable of the environment may also be refused where nobody thought of it. */
export const reasonOf = (cause: Cause.Cause<unknown>): unknown => {
  const error = Cause.squash(cause)
  return error instanceof Config.ConfigError ? fail("deployment", `the environment: ${issueOf(error)}`) : error
}

const issueOf = ({ cause, message }: Config.ConfigError): string =>
  (Schema.isSchemaError(cause) ? cause.message : message).replaceAll(/\s*\n\s*/g, " ")
