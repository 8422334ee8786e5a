/**
 * The program of replicas in one file: the module of a deployment, with what it needs of Effect and of this library and
 * nothing else of them.
 *
 * A process that imports these module by module needs half as much memory again, and more time to start.
 */
import { Effect, Schema, type Scope } from "effect"
import { execFile } from "node:child_process"
import * as Path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { codes, programFile, type Task } from "./bundleTask.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

/** A program that could not be bundled. */
export class BundleFailed extends Schema.TaggedError<BundleFailed>()("BundleFailed", {
  reason: Schema.Literals(["NoBundler", "Failed"]),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

/**
 * Bundles the program of the replicas of a deployment; the files are for this user alone and there as long as the scope.
 *
 * What is imported is what Node would import with the same arguments.
 */
export const make = Effect.fnUntraced(function*(
  module: URL,
  execArgv: ReadonlyArray<string>
): Effect.fn.Return<URL, BundleFailed, Scope.Scope> {
  const folder = yield* Effect.mapError(
    temporaryFolder,
    ({ cause }) => new BundleFailed({ reason: "Failed", detail: String(cause) })
  )
  yield* bundle({ module: fileURLToPath(module), conditions: conditions(execArgv), folder })
  return pathToFileURL(Path.join(folder, programFile))
})

const bundle = (task: Task) =>
  Effect.callback<void, BundleFailed>((resume) => {
    const child = execFile(process.execPath, [bundler, JSON.stringify(task)], { timeout }, (error, _, stderr) => {
      if (error === null) return resume(Effect.void)
      const reason = error.code === codes.noBundler ? "NoBundler" : "Failed"
      resume(Effect.fail(new BundleFailed({ reason, detail: detailOf(stderr) ?? error.message })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const bundler = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./bundler.ts" : "./bundler.js", import.meta.url)
)

/** In milliseconds; it takes less than one second where nothing is wrong. */
const timeout = 60_000

/** What is wrong in one line: above it the bundler says how often, and below it shows where. */
const detailOf = (stderr: string): string | undefined => {
  const lines = stripVTControlCharacters(stderr).split("\n").map((line) => line.trim()).filter((line) => line !== "")
  return lines.find((line) => line.startsWith("[")) ?? lines[0]
}

/** Those of Node for `import`, and those that it was told. */
const conditions = (execArgv: ReadonlyArray<string>): Array<string> => {
  const told = execArgv.flatMap((argument, index) => {
    if (argument === "-C" || argument === "--conditions") return execArgv[index + 1] ?? []
    return /^(?:-C|--conditions)=(.+)$/.exec(argument)?.[1] ?? []
  })
  return ["node", "import", "module-sync", "node-addons", ...told]
}
