/** What commands print. */
import { Console, type Effect } from "effect"

/** A value as JSON, or as the text that people read. */
export const print = (json: boolean, value: unknown, text: () => string): Effect.Effect<void> =>
  Console.log(json ? JSON.stringify(value, undefined, 2) : text())

/** How many characters fit in a line of the terminal; 100 where it is none. */
export const width = (): number => process.stdout.columns ?? 100
