/**
 * What happens while a model loads, for a progress bar or a log.
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect } from "effect"

/**
 * One step of a session that is being opened.
 *
 * Each replica loads, runs its warm-up calls and is ready. `completed` of `total` steps are done over all replicas
 * together, and the last event has `completed === total`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProgressEvent {
  readonly _tag: "Loading" | "WarmingUp" | "Ready"
  readonly path: string
  readonly replica: number
  readonly replicas: number
  readonly completed: number
  readonly total: number
  readonly elapsed: Duration.Duration
}

/**
 * Receives the steps of every session that is opened under it; nothing by default.
 *
 * **Example** (A line for each step)
 *
 * ```ts
 * import { Onnx } from "chorale/onnx"
 * import { Console, Effect } from "effect"
 *
 * export const session = Onnx.session("model.onnx").pipe(
 *   Effect.provideService(Onnx.Progress, ({ completed, path, total }) => Console.log(`${path} ${completed}/${total}`))
 * )
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Progress = Context.Reference<(event: ProgressEvent) => Effect.Effect<void>>("chorale/onnx/Progress", {
  defaultValue: () => () => Effect.void
})

/** Counts the steps of one session and tells them to the `Progress` of the context. */
export const track = Effect.fnUntraced(function*(path: string, replicas: number, stepsPerReplica: number) {
  const report = yield* Progress
  const started = yield* Clock.currentTimeMillis
  let completed = 0
  return (replica: number, step: number) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (step > 0) completed++
      return report({
        _tag: step === 0 ? "Loading" : step === stepsPerReplica ? "Ready" : "WarmingUp",
        path,
        replica,
        replicas,
        completed,
        total: replicas * stepsPerReplica,
        elapsed: Duration.millis(now - started)
      })
    })
})
