/**
 * Traffic that a second model sees too, while only the first one answers.
 *
 * @since 0.2.0
 */
import { Context, Deferred, Effect, Exit, FiberSet, Random, type Scope } from "effect"

/**
 * What became of a call and of its shadow.
 *
 * @category models
 * @since 0.2.0
 */
export interface Mirrored<out A, out E, out A2, out E2> {
  readonly answer: Exit.Exit<A, E>
  readonly shadow: Exit.Exit<A2, E2>
}

/**
 * How much is mirrored, and who looks at it.
 *
 * @category models
 * @since 0.2.0
 */
export interface MirrorOptions<in A, in E, in A2, in E2> {
  /** How many shadows run at once; a call that comes when there are so many has none. */
  readonly concurrency: number
  /** The part of calls that get a shadow, from 0 to 1; all by default. */
  readonly sample?: number | undefined
  /** Called when a call and its shadow have both ended, for example to compare their answers. */
  readonly onMirrored?: ((mirrored: Mirrored<A, E, A2, E2>) => Effect.Effect<void>) | undefined
}

/**
 * How many calls got a shadow so far, how many would have if there had been room, and how many shadows run now.
 *
 * @category models
 * @since 0.2.0
 */
export interface MirrorCounts {
  readonly mirrored: number
  readonly dropped: number
  readonly running: number
}

/**
 * Runs calls with a shadow.
 *
 * @category models
 * @since 0.2.0
 */
export interface Mirror<in A, in E, in A2, in E2> {
  /** The effect, beside which the shadow runs at times. */
  readonly run: <A1 extends A, E1 extends E, R, A3 extends A2, E3 extends E2, R2>(
    self: Effect.Effect<A1, E1, R>,
    shadow: Effect.Effect<A3, E3, R2>
  ) => Effect.Effect<A1, E1, R | Exclude<R2, Scope.Scope>>
  readonly counts: Effect.Effect<MirrorCounts>
}

/**
 * Makes a mirror, whose shadows live in the present scope and are interrupted when it closes.
 *
 * A shadow begins after the first step of the call it belongs to, has a scope of its own, and can neither fail nor
 * delay that call: it does not wait for the shadow, and its interruption does not reach it. Put a shadow that computes
 * in this thread behind a worker, though, as it shares the event loop. A shadow that never ends takes a place for good;
 * give it a time limit. A defect of `onMirrored` is logged.
 *
 * **Example** (Comparing a candidate on a tenth of the traffic)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import { Effect, Equal } from "effect"
 *
 * declare const stable: (text: string) => Effect.Effect<string>
 * declare const candidate: (text: string) => Effect.Effect<string, Error>
 *
 * export const classify = Effect.gen(function*() {
 *   const mirror = yield* Ensemble.makeMirror({
 *     sample: 0.1,
 *     concurrency: 4,
 *     onMirrored: ({ answer, shadow }) => Equal.equals(answer, shadow) ? Effect.void : Effect.logInfo("they differ")
 *   })
 *   return (text: string) => mirror.run(stable(text), candidate(text).pipe(Effect.timeout("1 second")))
 * })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const makeMirror = Effect.fnUntraced(function*<A = unknown, E = unknown, A2 = unknown, E2 = unknown>(
  { concurrency, onMirrored = () => Effect.void, sample = 1 }: MirrorOptions<A, E, A2, E2>
): Effect.fn.Return<Mirror<A, E, A2, E2>, never, Scope.Scope> {
  const fork = yield* FiberSet.makeRuntime<never>()
  let mirrored = 0
  let dropped = 0
  let running = 0

  /** Takes a place and starts the shadow in one step, so that nothing can come between; its end gives the place back. */
  const start = <A3 extends A2, E3 extends E2, R2>(
    shadow: Effect.Effect<A3, E3, R2>,
    answer: Deferred.Deferred<Exit.Exit<A, E>>,
    context: Context.Context<Exclude<R2, Scope.Scope>>
  ) => {
    mirrored++
    running++
    const observed = Effect.flatMap(
      Effect.exit(Effect.scoped(shadow)),
      (shadow) => Effect.flatMap(Deferred.await(answer), (answer) => onMirrored({ answer, shadow }))
    )
    fork(
      Effect.andThen(Effect.yieldNow, observed).pipe(
        Effect.catchDefect((defect) => Effect.logWarning("the observer of a mirror failed", defect)),
        Effect.provideContext(context)
      )
    ).addObserver(() => {
      running--
    })
  }

  const run = <A1 extends A, E1 extends E, R, A3 extends A2, E3 extends E2, R2>(
    self: Effect.Effect<A1, E1, R>,
    shadow: Effect.Effect<A3, E3, R2>
  ) =>
    Effect.contextWith((context: Context.Context<Exclude<R2, Scope.Scope>>): Effect.Effect<A1, E1, R> => {
      if (!(Context.get(context, Random.Random).nextDoubleUnsafe() < sample)) return self
      const answer = Deferred.makeUnsafe<Exit.Exit<A, E>>()
      return Effect.onExit(
        // Started here, the shadow is sure to hear how the call ends: an interruption cannot come before `onExit`.
        Effect.suspend(() => {
          if (running < concurrency) start(shadow, answer, context)
          else dropped++
          return self
        }),
        (exit) => Effect.sync(() => Deferred.doneUnsafe(answer, Exit.succeed(exit)))
      )
    })

  return { run, counts: Effect.sync(() => ({ mirrored, dropped, running })) }
})
