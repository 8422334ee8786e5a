/**
 * What a program waits for before it takes requests.
 *
 * A layer reports what it still lacks, and `GET /readyz` of a server in the
 * same process answers 503 with all that is missing until nothing is.
 *
 * @since 0.2.0
 */
import { Context, Effect, type Scope } from "effect"

/**
 * One thing that a program waits for: its name, and a sentence of what is missing while something is.
 *
 * @category models
 * @since 0.2.0
 */
export interface Check {
  readonly name: string
  readonly missing: Effect.Effect<string | undefined>
}

/**
 * The checks of the program. There is one set in a process unless a layer provides another.
 *
 * @category services
 * @since 0.2.0
 */
export const Checks: Context.Reference<Set<Check>> = Context.Reference<Set<Check>>("chorale/Readiness", {
  defaultValue: () => new Set()
})

/**
 * Makes the readiness of the program depend on a check, until the scope closes.
 *
 * A check runs for each `GET /readyz`, so it should look at what is known and not find it out. One that takes longer
 * than a second, or dies, counts as missing.
 *
 * **Example** (Not ready until a model is loaded)
 *
 * ```ts
 * import { Readiness } from "chorale"
 * import { Effect, Layer, Ref } from "effect"
 *
 * export const Warm = Layer.effectDiscard(Effect.gen(function*() {
 *   const loaded = yield* Ref.make(false)
 *   yield* Readiness.report("detector", Effect.map(Ref.get(loaded), (done) => done ? undefined : "the model is loading"))
 *   yield* Effect.forkScoped(Ref.set(loaded, true))
 * }))
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const report = (
  name: string,
  missing: Effect.Effect<string | undefined>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Effect.service(Checks), (checks) => {
    const check: Check = { name, missing }
    return Effect.acquireRelease(Effect.sync(() => checks.add(check)), () => Effect.sync(() => checks.delete(check)))
  }).pipe(Effect.asVoid)

/**
 * What is missing now, by the name of its check; empty where the program is ready.
 *
 * @category getters
 * @since 0.2.0
 */
export const missing: Effect.Effect<Readonly<Record<string, string>>> = Effect.flatMap(
  Effect.service(Checks),
  (checks) =>
    Effect.map(
      Effect.forEach(checks, run, { concurrency: "unbounded" }),
      (results) => Object.fromEntries(results.filter(([, what]) => what !== undefined)) as Record<string, string>
    )
)

const run = ({ missing, name }: Check): Effect.Effect<readonly [string, string | undefined]> =>
  missing.pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed("its check takes too long") }),
    Effect.catchDefect(() => Effect.succeed("its check failed")),
    Effect.map((what) => [name, what] as const)
  )
