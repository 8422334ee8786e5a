/** What a command sends to a method: JSON that is written out, or a file. */
import { Effect, FileSystem, Result } from "effect"
import { Argument } from "effect/cli"
import type { Body } from "./callee.ts"
import { fail } from "./ExitCode.ts"

export const payload = Argument.String("payload").pipe(
  Argument.withDescription(
    "JSON such as '{\"name\":\"you\"}', or @file: one that ends in .json is JSON, another is bytes"
  ),
  Argument.withDefault("{}")
)

/** The body of a call. */
export const read = Effect.fnUntraced(function*(payload: string): Effect.fn.Return<
  Body,
  ReturnType<typeof fail>,
  FileSystem.FileSystem
> {
  if (!payload.startsWith("@")) return yield* checked(payload, "the payload")
  const path = payload.slice(1)
  if (path === "") return yield* fail("usage", "after @ comes the path of a file")
  const files = yield* FileSystem.FileSystem
  const bytes = yield* Effect.mapError(
    files.readFile(path),
    () => fail("usage", `there is no file ${path} that can be read`)
  )
  return path.endsWith(".json") ? yield* checked(new TextDecoder().decode(bytes), path) : new Uint8Array(bytes)
})

const checked = (text: string, what: string) => {
  const parsed = Result.try(() => JSON.parse(text))
  return Result.isSuccess(parsed)
    ? Effect.succeed(text)
    : Effect.fail(fail("usage", `${what} is no JSON: ${reasonOf(parsed.failure)}`))
}

const reasonOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
