/** The module of a deployment: what it exports by default is the deployment. */
import { Effect, Schema } from "effect"
import type * as Deployment from "../Deployment.ts"

/** A module that cannot be imported, or does not have a deployment. */
export class ModuleError extends Schema.TaggedError<ModuleError>()("ModuleError", {
  module: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.module} ${this.detail}`
  }
}

/** Imports a module; `name` is what an error calls it. */
export const load = (module: URL, name: string): Effect.Effect<Deployment.Any, ModuleError> =>
  Effect.tryPromise({
    try: (): Promise<object> => import(module.href),
    catch: (cause) => new ModuleError({ module: name, detail: `could not be loaded: ${reasonOf(cause)}` })
  }).pipe(Effect.flatMap((exports) => {
    const value: unknown = "default" in exports ? exports.default : undefined
    return isDeployment(value)
      ? Effect.succeed(value)
      : Effect.fail(
        new ModuleError({
          module: name,
          detail: value === undefined
            ? "has no default export; export what Deployment.make returns"
            : "has a default export that is no deployment; export what Deployment.make returns"
        })
      )
  }))

/** By what it has: a deployment may have been made by another copy of this package. */
const isDeployment = (value: unknown): value is Deployment.Any =>
  isObject(value) && typeof value["name"] === "string" && isObject(value["units"]) &&
  Object.values(value["units"]).every((unit) => isObject(unit) && "service" in unit && "layer" in unit)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause instanceof SyntaxError ? `${cause.name}: ${cause.message}` : cause.message
}
