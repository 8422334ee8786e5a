/**
 * Prints the table of laws by locations: `node --conditions=@chorale/source test/laws/table.ts`, or with `--remotes` that
 * by the protocols of others.
 */
import { Laws } from "chorale/testing"
import { Effect } from "effect"
import * as Locations from "./locations.ts"
import * as Remotes from "./remotes.ts"

const own = [
  Locations.local,
  Locations.codec,
  Locations.thread,
  Locations.process,
  Locations.unixSocket,
  Locations.tcp,
  Locations.http,
  Locations.httpReplicas,
  Locations.threads,
  Locations.processes
]

const remotes = [Remotes.openInference, Remotes.openInferenceGrpc, Remotes.bento, Remotes.openAi]

const locations = process.argv.includes("--remotes") ? remotes : own

const reports = Effect.forEach(locations, (location) => Effect.scoped(Effect.flatMap(location, (at) => Laws.check(at))))

console.log(Laws.toMarkdown(await Effect.runPromise(reports)))
