/**
 * Where the file of a model is, and whether it is there.
 */
import { Effect } from "effect"
import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { ModelNotFound } from "./OnnxError.ts"

export const toPath = (location: string | URL): Effect.Effect<string, ModelNotFound> =>
  typeof location === "string"
    ? Effect.succeed(resolve(location))
    : Effect.try({
      try: () => fileURLToPath(location),
      catch: () => new ModelNotFound({ path: location.href, detail: "it is not a file: URL" })
    })

export const find = (path: string): Effect.Effect<void, ModelNotFound> =>
  Effect.tryPromise({
    try: () => stat(path),
    catch: (cause) => new ModelNotFound({ path, detail: missing(cause) ? "there is no such file" : String(cause) })
  }).pipe(
    Effect.filterOrFail(
      (stats) => !stats.isDirectory(),
      () => new ModelNotFound({ path, detail: "it is a directory" })
    ),
    Effect.asVoid
  )

const missing = (cause: unknown): boolean => cause instanceof Error && "code" in cause && cause.code === "ENOENT"
