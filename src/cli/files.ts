/** The files that commands write. */
import { Effect, FileSystem, Path, type PlatformError } from "effect"
import { fail } from "./ExitCode.ts"

/** Writes a file, and makes the folders above it that are not there; replaces what is there. */
export const write = Effect.fnUntraced(function*(path: string, content: string) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  yield* files.makeDirectory(paths.dirname(path), { recursive: true }).pipe(
    Effect.andThen(files.writeFileString(path, content)),
    Effect.mapError((error) => fail("failed", `${path} could not be written: ${reasonOf(error)}`))
  )
})

/** What the operating system says of it. */
const reasonOf = ({ message, reason }: PlatformError.PlatformError): string =>
  reason.cause instanceof Error ? reason.cause.message : message
