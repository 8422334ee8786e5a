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

/** In one line, with the place in the file where that is known. */
const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return firstLine(String(cause))
  if (isUnreadable(cause)) return `Node ${process.versions.node} runs no TypeScript; Node 24 does`
  const what = firstLine(cause instanceof SyntaxError ? `${cause.name}: ${cause.message}` : cause.message || cause.name)
  const place = placeOf(cause.stack ?? "")
  return place === undefined ? what : `${what} (${place})`
}

const firstLine = (text: string): string => text.trim().split("\n", 1)[0] ?? ""

/** What a Node before 22.18 says of TypeScript. */
const isUnreadable = (cause: Error): boolean =>
  "code" in cause && cause.code === "ERR_UNKNOWN_FILE_EXTENSION" && /"\.[cm]?tsx?"/.test(cause.message)

/** Where a file could not be read stands above everything else; otherwise it is the innermost call of a program. */
const placeOf = (stack: string): string | undefined => {
  const [, unreadable] = /^(?:file:\/\/)?(\/[^\n]*:\d+)\n/.exec(stack) ?? []
  if (unreadable !== undefined) return unreadable
  const calls = Array.from(stack.matchAll(/file:\/\/(\/[^\n)]*:\d+:\d+)/g), ([, place]) => place)
  return calls.find((place) => place?.includes("/node_modules/") === false)
}
