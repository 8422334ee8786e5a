/** A folder for this user alone, which is there as long as the scope. */
import { Effect } from "effect"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"

export const temporaryFolder = Effect.acquireRelease(
  Effect.tryPromise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "chorale-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true }))
)
