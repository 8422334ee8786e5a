/**
 * ONNX models as scoped resources: each replica runs on a thread of its own, so the event loop never waits for a model.
 *
 * ONNX Runtime computes on the thread that calls it. A session therefore starts one worker thread per replica, gives each
 * one call at a time, and keeps the rest in one queue. A call that is interrupted while it waits leaves the queue; one
 * that runs cannot be stopped, and its replica takes the next call when it is done. On Linux these threads have a lower
 * priority (nice 10) than the event loop, which would otherwise wait for a core while models use them all.
 *
 * The exit of the process waits up to 30 seconds for models that are loading or running, because Node would abort
 * otherwise. It cannot wait for a session that was opened in a worker thread of your own and is still running: close that
 * thread's scope before you end the thread or the process.
 *
 * @since 0.1.0
 */
import { Effect, Layer } from "effect"
import type { Context, Scope } from "effect"
import { Unavailable } from "../ServiceError.ts"
import { BadFeeds, RunFailed, SessionClosed, WorkerLost } from "./OnnxError.ts"
import * as Session from "./Session.ts"

export type { OutputSchemas, Port, Tensors } from "./feeds.ts"
export { BadFeeds, ModelNotFound, ModelNotLoadable, RunFailed, SessionClosed, WorkerLost } from "./OnnxError.ts"
export { Progress } from "./Progress.ts"
export type { ProgressEvent } from "./Progress.ts"
export type { LoadError, Options, RunError, Session } from "./Session.ts"

/**
 * Loads a model into its replicas, and closes them with the scope.
 *
 * Tensors of a call are copied into memory that the replica keeps, so a caller may change them as soon as the model runs;
 * those in a `SharedArrayBuffer` are not copied and must stay as they are until the answer. Outputs belong to the caller.
 *
 * **Example** (Adding up what a model says)
 *
 * ```ts
 * import { Tensor } from "chorale"
 * import { Onnx } from "chorale/onnx"
 * import { Effect } from "effect"
 *
 * export const program = Effect.gen(function*() {
 *   const session = yield* Onnx.session(new URL("./digits.onnx", import.meta.url), { replicas: 2 })
 *   const image = Tensor.zeros("float32", [1, 784])
 *   const { scores } = yield* session.run({ image }, { scores: Tensor.schema("float32", ["batch", 10]) })
 *   return scores.data.indexOf(Math.max(...scores.data))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const session = (
  path: string | URL,
  options?: Session.Options
): Effect.Effect<Session.Session, Session.LoadError, Scope.Scope> => Session.make(entry, path, options)

/**
 * A layer for a session that several services use: those that are given the same layer share its replicas.
 *
 * **Example** (One model behind two services)
 *
 * ```ts
 * import { Onnx } from "chorale/onnx"
 * import { Context } from "effect"
 *
 * export class Embeddings extends Context.Service<Embeddings, Onnx.Session>()("app/Embeddings") {
 *   static readonly layer = Onnx.layer(Embeddings, "embeddings.onnx", { replicas: 2 })
 * }
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self>(
  key: Context.Key<Self, Session.Session>,
  path: string | URL,
  options?: Session.Options
): Layer.Layer<Self, Session.LoadError> => Layer.effect(key, session(path, options))

/**
 * Turns what a session can fail with into what a handler of a service can say.
 *
 * A replica that is gone or closed is `Unavailable`, which a caller may retry. Feeds that do not fit the model, and a
 * model that fails on feeds that do, are bugs of the service and become defects.
 *
 * **Example** (A handler)
 *
 * ```ts
 * import type { Tensor } from "chorale"
 * import { Onnx } from "chorale/onnx"
 *
 * export const embed = (session: Onnx.Session) => (text: Tensor.Tensor<"int64", 2>) =>
 *   session.run({ text }).pipe(Onnx.orUnavailable)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const orUnavailable = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, Exclude<E, Session.RunError> | Unavailable, R> =>
  Effect.catch(self, (error): Effect.Effect<never, Exclude<E, Session.RunError> | Unavailable> => {
    if (error instanceof WorkerLost || error instanceof SessionClosed) {
      return Effect.fail(new Unavailable({ detail: error.message }))
    }
    if (error instanceof BadFeeds || error instanceof RunFailed) return Effect.die(error)
    // The four members of `RunError` were taken out above.
    return Effect.fail(error as Exclude<E, Session.RunError>)
  })

const entry = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)
