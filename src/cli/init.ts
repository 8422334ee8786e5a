/** `chorale init`: a project to begin with. */
import { Console, Effect, FileSystem, Path } from "effect"
import { Argument, Command } from "effect/cli"
import { fail } from "./ExitCode.ts"
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
    const there = yield* Effect.filter(Object.keys(made), (path) => files.exists(paths.join(folder, path)))
    if (there.length > 0) return yield* fail("failed", `${there.join(", ")} would be overwritten; nothing was made`)
    for (const [path, content] of Object.entries(made)) {
      const target = paths.join(folder, path)
      yield* files.makeDirectory(paths.dirname(target), { recursive: true })
      yield* files.writeFileString(target, content)
      yield* Console.log(target)
    }
    yield* Console.log(`\nNext: ${folder === "." ? "" : `cd ${folder} && `}npm install && npm test && npm start`)
  }, Effect.catchTag("PlatformError", (error) => Effect.fail(fail("failed", error.message))))
).pipe(
  Command.withDescription("Makes a project with a contract, a model, a deployment and a test.")
)

/** A name that the deployment may have: that of a host. */
const toName = (folder: string): string => {
  const name = folder.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[^a-z]+|-+$/g, "").slice(0, 40).replace(
    /-+$/,
    ""
  )
  return name === "" ? "app" : name
}
