/** `chorale init`: a project to begin with. */
import { Console, Effect, FileSystem, Path } from "effect"
import { Argument, Command } from "effect/cli"
import { fail } from "./ExitCode.ts"
import * as Files from "./files.ts"
import { template } from "./init/template.ts"

export const init = Command.make(
  "init",
  {
    folder: Argument.String("folder").pipe(
      Argument.withDescription("Where the project is made: the folder that you are in"),
      Argument.withDefault(".")
    )
  },
  Effect.fnUntraced(function*({ folder }) {
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const made = template(toName(paths.basename(paths.resolve(folder))))
    const obstacle = yield* fileOn(paths.resolve(folder))
    if (obstacle !== undefined) return yield* fail("usage", `${obstacle} is a file, and no folder`)
    const there = yield* Effect.filter(Object.keys(made), (path) => files.exists(paths.join(folder, path)))
    if (there.length > 0) return yield* fail("failed", `${there.join(", ")} would be overwritten; nothing was made`)
    for (const [path, content] of Object.entries(made)) {
      const target = paths.join(folder, path)
      yield* Files.write(target, content)
      yield* Console.log(target)
    }
    yield* Console.log(
      `\nNext: ${folder === "." ? "" : `cd ${quoted(folder)} && `}npm install && npm test && npm start`
    )
  }, Effect.catchTag("PlatformError", (error) => Effect.fail(fail("failed", error.message))))
).pipe(
  Command.withDescription("Makes a project with a contract, a model, a deployment and a test.")
)

/** As a shell takes it for one word. */
const quoted = (text: string): string => /^[\w./@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** A file where a folder would have to be: the path itself, or what is above it. */
const fileOn = Effect.fnUntraced(function*(path: string): Effect.fn.Return<
  string | undefined,
  never,
  FileSystem.FileSystem | Path.Path
> {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const type = yield* Effect.orElseSucceed(Effect.map(files.stat(path), ({ type }) => type), () => undefined)
  if (type !== undefined) return type === "Directory" ? undefined : path
  return yield* fileOn(paths.dirname(path))
})

/** A name that the deployment may have: that of a host. */
const toName = (folder: string): string => {
  const name = folder.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[^a-z]+|-+$/g, "").slice(0, 40).replace(
    /-+$/,
    ""
  )
  return name === "" ? "app" : name
}
