/** The command line of the library: `chorale --help` says what it does, and `ExitCode.ts` how it ends. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { chorale } from "./chorale.ts"
import { codes, CommandFailed, reasonOf } from "./ExitCode.ts"
import { presenter } from "./presenter.ts"
import { Stopping } from "./Stopping.ts"
import { version } from "./version.ts"

const stopping: Stopping = { exitCode: codes.interrupted }

const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = reasonOf(cause)
  if (CliError.isCliError(error)) return Effect.void
  return Console.error(`chorale: ${error instanceof CommandFailed ? error.message : Cause.pretty(cause)}`)
}

const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return codes.done
  if (Cause.hasInterruptsOnly(exit.cause)) return stopping.exitCode
  const error = reasonOf(exit.cause)
  return CliError.isCliError(error)
    ? error._tag === "ShowHelp" && error.errors.length === 0 ? codes.done : codes.usage
    : Runtime.getErrorExitCode(error)
}

Command.run(chorale, { version }).pipe(
  Effect.tapCause(report),
  Effect.provide([NodeServices.layer, CliOutput.layerPresenter(presenter)]),
  Effect.provideService(Stopping, stopping),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, onExit) => onExit(exitCode(exit)) })
)
