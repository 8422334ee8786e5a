/** The deployment that a command is about, with its configuration. */
import { Effect, FileSystem, Option, Path } from "effect"
import * as Deployment from "../Deployment.ts"
import type { DeploymentDescription, Placement } from "../deployment/Description.ts"
import * as DeploymentModule from "../supervisor/deploymentModule.ts"
import { fail } from "./ExitCode.ts"

/** The flags that say which. */
export interface Options {
  readonly deployment: Option.Option<string>
  readonly config: Option.Option<string>
  readonly profile: Option.Option<string>
}

/** A deployment that has been imported. */
export interface Loaded {
  readonly deployment: Deployment.Any
  readonly module: URL
  /** Reads the configuration file again, as often as it is done. */
  readonly configuration: Effect.Effect<Deployment.Configuration | undefined, ReturnType<typeof fail>>
  /** Where the configuration is, or would be. */
  readonly configurationPath: string
}

/** Imports the module of the deployment. */
export const load = Effect.fnUntraced(function*(options: Options) {
  const path = yield* Path.Path
  const files = yield* FileSystem.FileSystem
  const found = yield* findModule(options.deployment)
  const module = yield* Effect.orDie(path.toFileUrl(path.resolve(found)))
  const deployment = yield* Effect.mapError(
    DeploymentModule.load(module, found),
    (error) => fail("deployment", error.message)
  )
  const configurationPath = Option.getOrElse(options.config, () => "chorale.yaml")
  const loaded: Loaded = {
    deployment,
    module,
    configurationPath,
    configuration: Effect.provideService(readConfiguration(options, deployment), FileSystem.FileSystem, files)
  }
  return loaded
})

const usual = ["deployment.ts", "deployment.js", "deployment.mjs"]

const findModule = Effect.fnUntraced(function*(given: Option.Option<string>) {
  const files = yield* FileSystem.FileSystem
  const isFile = (path: string) =>
    Effect.orElseSucceed(Effect.map(files.stat(path), ({ type }) => type === "File"), () => false)
  if (Option.isSome(given)) {
    return (yield* isFile(given.value))
      ? given.value
      : yield* fail("deployment", `there is no file ${given.value}; --deployment names the module of a deployment`)
  }
  for (const path of usual) if (yield* isFile(path)) return `./${path}`
  return yield* fail(
    "deployment",
    `there is no ${usual.join(", ")} in ${process.cwd()}; name the module with --deployment`
  )
})

const readConfiguration = Effect.fnUntraced(function*(options: Options, deployment: Deployment.Any) {
  const files = yield* FileSystem.FileSystem
  const file = Option.getOrElse(options.config, () => "chorale.yaml")
  const text = yield* Effect.option(files.readFileString(file))
  if (Option.isNone(text)) {
    if (Option.isSome(options.config)) return yield* fail("deployment", `there is no file ${file} that can be read`)
    return Option.isNone(options.profile)
      ? undefined
      : yield* fail("deployment", `there is no ${file}, and so no profile ${options.profile.value}`)
  }
  return yield* Effect.mapError(
    Effect.fromResult(Deployment.parseConfiguration(text.value, {
      file,
      units: Object.keys(deployment.units),
      ...(Option.isSome(options.profile) ? { profile: options.profile.value } : {})
    })),
    (error) => fail("deployment", error.message)
  )
})

/** What is wrong with a deployment that nobody outside of it can call. */
export const nothingExposed = { path: "units", detail: "none is exposed", advice: "Give one of them expose: true." }

/** What the flags of a command change of a description. */
export interface Changes {
  readonly placement?: Placement | undefined
  readonly replicas?: number | undefined
}

/** The description with the configuration and the flags of the command put over it. */
export const describe = (
  deployment: Deployment.Any,
  configuration: Deployment.Configuration | undefined,
  { placement, replicas }: Changes = {}
): DeploymentDescription => {
  const description = Deployment.describe(deployment, configuration)
  return {
    ...description,
    units: description.units.map((unit) => ({
      ...unit,
      placement: placement ?? unit.placement,
      replicas: replicas ?? unit.replicas
    }))
  }
}
