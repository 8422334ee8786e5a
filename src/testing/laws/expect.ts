/** What a check says when a law is broken, and what checks have in common. */
import { Cause, Data, Duration, Effect, Exit, Random } from "effect"
import * as ServiceError from "../../ServiceError.ts"
import * as Difference from "./difference.ts"
import type { Place } from "./law.ts"

/** What a law expects and what was seen instead. */
export class Broken extends Data.TaggedError("Broken")<{ readonly expected: string; readonly seen: string }> {}

/** Ten times what a location should need and more, so that a busy machine breaks no law. */
export const soon = Duration.seconds(10)

export const holds = (
  condition: boolean,
  expected: string,
  seen: string | (() => string)
): Effect.Effect<void, Broken> =>
  condition
    ? Effect.void
    : Effect.suspend(() => new Broken({ expected, seen: typeof seen === "string" ? seen : seen() }))

/** Expects the same value, of the same classes, to the last bit. */
export const same = (expected: unknown, seen: unknown, what: string): Effect.Effect<void, Broken> =>
  Effect.suspend(() => {
    const difference = Difference.find(expected, seen, what)
    return difference === undefined
      ? Effect.void
      : new Broken({ expected: `${what} to be equal`, seen: difference })
  })

/** Expects an effect to end soon, however it ends. */
export const endsSoon = (what: string, duration: Duration.Duration = soon) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(self, {
    duration,
    orElse: () =>
      new Broken({ expected: `${what} within ${Duration.format(duration)}`, seen: "it had not ended by then" })
  })

/** The failure of a call that has to fail. */
export const failureOf = Effect.fnUntraced(function*<A, E, R>(call: Effect.Effect<A, E, R>, expected: string) {
  const exit = yield* Effect.exit(call)
  const failure = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason) : undefined
  if (failure !== undefined) return failure.error
  return yield* new Broken({ expected, seen: describe(exit) })
})

/** The reason of the `ServiceError` with which a call has to fail. */
export const reasonOf = Effect.fnUntraced(function*<A, E, R>(
  call: Effect.Effect<A, E, R>,
  expected: ServiceError.Reason["_tag"]
) {
  const error: unknown = yield* failureOf(call, expected)
  if (error instanceof ServiceError.ServiceError && error.reason._tag === expected) return error.reason
  return yield* new Broken({ expected, seen: describe(Exit.fail(error)) })
})

/** The message of the defect with which a call has to die. */
export const defectOf = Effect.fnUntraced(function*<A, E, R>(call: Effect.Effect<A, E, R>) {
  const exit = yield* Effect.exit(call)
  const died = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason) : undefined
  if (died === undefined) return yield* new Broken({ expected: "a defect", seen: describe(exit) })
  return died.defect instanceof Error ? died.defect.message : String(died.defect)
})

/** An exit in a sentence. */
export const describe = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return `the result ${Difference.show(exit.value)}`
  return exit.cause.reasons.map((reason) => {
    if (Cause.isFailReason(reason)) return describeFailure(reason.error)
    return Cause.isDieReason(reason) ? `the defect ${Difference.show(reason.defect)}` : "an interruption"
  }).join(" and ")
}

const describeFailure = (error: unknown): string => {
  if (error instanceof Broken) return `${error.seen} in place of ${error.expected}`
  return error instanceof ServiceError.ServiceError
    ? `the failure ${error.reason._tag} (${error.message})`
    : `the failure ${Difference.show(error)}`
}

/** An id that no other call has. */
export const newId: Effect.Effect<string> = Effect.map(Random.nextIntBetween(0, 2 ** 48), (id) => id.toString(36))

/** Expects that calls are still answered. */
export const stillAnswers = ({ probe }: Place): Effect.Effect<void, Broken> =>
  Effect.flatMap(
    Effect.exit(endsSoon("another call")(probe.double({ n: 21 }))),
    (exit) => holds(Exit.isSuccess(exit) && exit.value === 42, "other calls to be answered", () => describe(exit))
  )
