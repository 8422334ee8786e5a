/** How the command line says what is wrong with it, and helps. */
import { Console, Effect } from "effect"
import { type CliError, CliOutput } from "effect/cli"

/** One line for each thing that is wrong, in place of all that there is to know about the command. */
export const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Effect.forEach(linesOf(event), (line) => Console.error(line), { discard: true })
      : CliOutput.defaultPresenter.present(event)
}

const linesOf = ({ commandPath, errors, helpDoc }: CliOutput.Presenter.InvalidInvocation): ReadonlyArray<string> => {
  const unknown = errors.find(({ _tag }) => _tag === "UnknownSubcommand")
  // The flags of a command that does not exist are wrong only because of that.
  const counted = unknown === undefined ? errors : [unknown]
  const names = helpDoc.subcommands?.flatMap(({ commands }) => commands.map(({ name }) => name)) ?? []
  return [
    ...counted.map((error) => `chorale: ${inOneLine(error.message)}${hint(error, names)}`),
    `Try: ${commandPath.join(" ")} --help`
  ]
}

const hint = (error: CliError.NonShowHelpErrors, names: ReadonlyArray<string>): string =>
  error._tag === "UnknownSubcommand" && error.suggestions.length === 0 && names.length > 0
    ? `; there are ${names.join(", ")}`
    : ""

const inOneLine = (text: string): string =>
  text.replaceAll("a string representing a finite number", "a number").replaceAll(/\s*\n\s*/g, " ")
