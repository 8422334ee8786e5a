/** What the replicas of a deployment in processes start from: a bundle of its program, where one can be made. */
import { Effect, Exit, Fiber, Scope } from "effect"
import * as Module from "node:module"
import { execArguments } from "../node/worker/launch.ts"
import * as Bundle from "./bundle.ts"
import * as SourcePlaces from "./sourcePlaces.ts"

export interface Program {
  /** What a process starts from that has this environment; waits until it is made. */
  readonly start: (env: Readonly<Record<string, string>>) => Effect.Effect<Start>
  /** Makes those that start from now on start from what the files now say. */
  readonly renew: Effect.Effect<void>
}

/** How Node is started with a program. */
export interface Start {
  readonly entry: URL
  readonly env: Readonly<Record<string, string>>
  readonly execArgv: ReadonlyArray<string>
  /** Puts the places in the sources into what a replica says. */
  readonly toSources: (text: string) => string
}

/** The module that imports the program as it is, with what Node has compiled of it before. */
export const unbundled = (): Start => {
  const compiled = Module.getCompileCacheDir?.()
  return {
    entry: new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url),
    env: compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled },
    execArgv: [],
    toSources: (text) => text
  }
}

const bundled = (entry: URL): Start => ({
  entry,
  // There is a new file each time, which Node would keep forever.
  env: { NODE_DISABLE_COMPILE_CACHE: "1" },
  // A module that is bundled resolves names from where its source is.
  execArgv: ["--experimental-import-meta-resolve"],
  toSources: SourcePlaces.make(new URL("./", entry))
})

/** The program of a module; `bundle` says whether it is to be bundled. */
export const make = Effect.fnUntraced(function*(
  module: URL,
  bundle: boolean
): Effect.fn.Return<Program, never, Scope.Scope> {
  const execArgv = [...execArguments(process.execArgv), ...words(process.env)]
  if (!bundle || execArgv.some(changesImports)) return { start: () => Effect.sync(unbundled), renew: Effect.void }
  const scope = yield* Effect.scope
  const build = Effect.gen(function*() {
    const files = yield* Scope.fork(scope)
    const made = yield* Effect.forkIn(Scope.provide(startOf(module, execArgv), files), files)
    return { files, made }
  })
  let current = yield* build
  let before: typeof current | undefined
  return {
    start: (env) =>
      Effect.suspend(() => words(env).some(changesImports) ? Effect.sync(unbundled) : Fiber.join(current.made)),
    renew: Effect.gen(function*() {
      // Those that run may still import more of theirs.
      if (before !== undefined) yield* Scope.close(before.files, Exit.void)
      before = current
      current = yield* build
    })
  }
})

const words = (env: Readonly<Record<string, string | undefined>>): Array<string> =>
  (env["NODE_OPTIONS"] ?? "").split(/\s+/)

/** What is imported may then be another thing than what a bundler finds. */
const changesImports = (argument: string): boolean =>
  /^(?:-r|--(?:import|require|(?:experimental-)?loader))(?:=|$)/.test(argument)

const startOf = (module: URL, execArgv: ReadonlyArray<string>) =>
  Effect.catch(Effect.map(Bundle.make(module, execArgv), bundled), ({ message, reason }) =>
    Effect.as(
      reason === "NoBundler"
        ? Effect.logDebug(`replicas import the modules of their program one by one: ${message}`)
        : Effect.logWarning(`the program of the replicas could not be bundled; they need more memory: ${message}`),
      unbundled()
    ))
