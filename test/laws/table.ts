/** Prints the table of laws by locations: `node --conditions=@chorale/source test/laws/table.ts`. */
import { Laws } from "chorale/testing"
import { Effect } from "effect"
import * as Locations from "./locations.ts"

const locations = [
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

const reports = Effect.forEach(locations, (location) => Effect.scoped(Effect.flatMap(location, (at) => Laws.check(at))))

console.log(Laws.toMarkdown(await Effect.runPromise(reports)))
