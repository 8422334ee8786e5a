/**
 * Bundles the program of replicas: `node bundler.ts <task>`. A process of its own, because what a bundler takes of
 * memory is not given back.
 */
import { fileURLToPath } from "node:url"
import * as BundlePlugin from "./bundlePlugin.ts"
import { codes, programFile, type Task } from "./bundleTask.ts"

const bundle = async ({ conditions, folder, module }: Task): Promise<void> => {
  const { rolldown } = await import("rolldown")
  const build = await rolldown({
    input: BundlePlugin.entry,
    platform: "node",
    plugins: [BundlePlugin.make(programOf(module))],
    transform: { define: BundlePlugin.importMeta },
    resolve: { conditionNames: conditions },
    treeshake: { moduleSideEffects },
    // Node reads none.
    tsconfig: false,
    logLevel: "silent"
  })
  await build.write({
    dir: folder,
    format: "esm",
    entryFileNames: programFile,
    chunkFileNames: "[name]-[hash].mjs",
    // They are half of it, and a process keeps its source. Names stay: a stack is to be read.
    comments: false,
    // The supervisor reads it where a stack has places in these files.
    sourcemap: "hidden"
  })
}

const programOf = (module: string): string => {
  const own = import.meta.url.endsWith(".ts") ? "./unitReplica.ts" : "./unitReplica.js"
  const unitReplica = fileURLToPath(new URL(own, import.meta.url))
  return `import deployment from ${JSON.stringify(module)}\n` +
    `import { run } from ${JSON.stringify(unitReplica)}\n` +
    "run(deployment)\n"
}

/** What Node runs for its effect is run, whatever the package.json of the program says of it to bundlers. */
const moduleSideEffects = (id: string): true | undefined =>
  id.startsWith(library) || /[\\/]node_modules[\\/]/.test(id) ? undefined : true

const library = fileURLToPath(new URL("../", import.meta.url))

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"

const task: Task = JSON.parse(process.argv[2] ?? "")
await bundle(task).catch((cause: unknown) => {
  process.stderr.write(cause instanceof Error ? cause.message : String(cause))
  process.exitCode = isMissing(cause) ? codes.noBundler : codes.failed
})
