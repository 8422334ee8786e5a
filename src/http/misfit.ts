/** What becomes of a call whose result does not fit its contract: a bug, of which the log is told in a sentence. */
import { Effect, SchemaIssue } from "effect"

const formatIssue = SchemaIssue.makeFormatterDefault()

export const orDie =
  (service: string, method: { readonly name: string }) =>
  <A, R>(encode: Effect.Effect<A, SchemaIssue.Issue, R>): Effect.Effect<A, never, R> =>
    Effect.catch(encode, (issue) =>
      Effect.die(
        new TypeError(`${service}.${method.name}: the result does not fit the contract: ${formatIssue(issue)}`)
      ))
