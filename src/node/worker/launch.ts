/** What a thread and a process of this program are started with. */
import { Effect } from "effect"
import { Unavailable } from "../../ServiceError.ts"
import type { FromReplica, Options } from "./replica.ts"
import { WorkerError } from "./WorkerError.ts"

/** The arguments of Node without those that say how to read a program from a string: a replica is a file. */
export const execArguments = (own: ReadonlyArray<string>): Array<string> => {
  const result: Array<string> = []
  for (let index = 0; index < own.length; index++) {
    const argument = own[index] ?? ""
    if (ofStrings.has(argument)) index++
    else if (!argument.startsWith("--input-type") && !/^--(eval|print|inspect)/.test(argument)) result.push(argument)
  }
  return result
}

/**
 * What a thread is started with besides what it inherits, which is all that this process was started with. Arguments of
 * V8 hold for the whole process, and a thread that is given some of its own is refused.
 */
export const threadArguments = (own: ReadonlyArray<string>): { readonly execArgv?: Array<string> } =>
  own.some((argument) => ofStrings.has(argument) || argument.startsWith("--input-type"))
    ? { execArgv: execArguments(own) }
    : {}

const ofStrings = new Set(["-e", "--eval", "-p", "--print", "-pe"])

/** How a replica ended. */
export interface Ending {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly detail: string
  readonly stderr: ReadonlyArray<string>
}

export const toError = (reason: WorkerError["reason"], entry: URL, ending: Ending): WorkerError =>
  new WorkerError({ reason, entry: entry.href, ...ending })

/** Why the calls on a replica failed that has ended. */
export const toReason = (name: string, { detail }: { readonly detail: string }): Unavailable =>
  new Unavailable({ detail: `${name}: ${detail}` })

/**
 * Waits until the replica says that it is ready, which it is once and in time, and serves what is to be called.
 *
 * `lost` succeeds when it ends before.
 */
export const untilReady = (
  options: Options,
  said: Effect.Effect<FromReplica>,
  lost: Effect.Effect<WorkerError>,
  stderr: () => ReadonlyArray<string>
): Effect.Effect<void, WorkerError> => {
  const fail = (reason: WorkerError["reason"], detail: string) =>
    Effect.suspend(() =>
      Effect.fail(toError(reason, options.entry, { detail, exitCode: null, signal: null, stderr: stderr() }))
    )
  const ready = Effect.flatMap(said, (message) => {
    if (message._tag === "Failed") return fail("StartFailed", message.detail)
    const missing = options.services.filter((service) => !message.services.includes(service))
    return missing.length === 0
      ? Effect.void
      : fail("StartFailed", `it serves ${message.services.join(", ")}, and not ${missing.join(", ")}`)
  })
  return Effect.raceFirst(ready, Effect.flatMap(lost, Effect.fail)).pipe(
    Effect.timeoutOrElse({
      duration: options.startTimeout,
      orElse: () => fail("StartTimedOut", `it had ${options.startTimeout} ms`)
    })
  )
}
