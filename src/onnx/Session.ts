/**
 * A model whose replicas take calls from one queue, first come first served.
 *
 * The slot of a replica is freed by the answer of its thread and by nothing else: native code cannot be interrupted, so
 * a caller that stops waiting leaves the replica busy until the answer is there.
 *
 * @since 0.1.0
 */
import { Deferred, Duration, Effect, Exit, Schedule, Scope } from "effect"
import * as Resources from "../Resources.ts"
import { check, checkOutputs, checkSchemas } from "./feeds.ts"
import type { OutputSchemas, Port, Tensors } from "./feeds.ts"
import * as ModelFile from "./ModelFile.ts"
import { SessionClosed, WorkerLost } from "./OnnxError.ts"
import type { BadFeeds, ModelNotFound, ModelNotLoadable, RunFailed } from "./OnnxError.ts"
import * as Pool from "./Pool.ts"
import { track } from "./Progress.ts"
import * as Replica from "./Replica.ts"
import { sessionOptions } from "./sessionOptions.ts"

/**
 * What a call of a session can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type RunError = BadFeeds | RunFailed | WorkerLost | SessionClosed

/**
 * What opening a session can fail with; the last three come from warm-up calls or a thread that could not start.
 *
 * @category errors
 * @since 0.1.0
 */
export type LoadError = ModelNotFound | ModelNotLoadable | BadFeeds | RunFailed | WorkerLost

/**
 * A model that is loaded and ready.
 *
 * @category models
 * @since 0.1.0
 */
export interface Session {
  readonly inputs: ReadonlyArray<Port>
  readonly outputs: ReadonlyArray<Port>
  readonly replicas: number
  /**
   * Runs the model once, off the main thread.
   *
   * With schemas, only the outputs that they name are computed, and each has the static type of its schema. A schema
   * that the model contradicts is a defect: the program was written for another model.
   */
  readonly run: {
    (feeds: Tensors): Effect.Effect<Tensors, RunError>
    <const Outputs extends OutputSchemas>(
      feeds: Tensors,
      outputs: Outputs
    ): Effect.Effect<{ readonly [Name in keyof Outputs]: Outputs[Name]["Type"] }, RunError>
  }
}

/**
 * How a session is opened; everything has a default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many threads hold the model, each with its own copy of the weights; by default what `Resources.Grant` says. */
  readonly replicas?: number | undefined
  /** How many threads ONNX Runtime uses inside one call; by default what `Resources.Grant` says. */
  readonly threads?: number | undefined
  /** Feeds that every replica runs before it takes calls, because first runs are slow. */
  readonly warmup?: Tensors | undefined
  /** How many times a replica runs `warmup`; once by default. */
  readonly warmupRuns?: number | undefined
  /** By default CUDA where `Resources.Grant` has a GPU for the replica, else the CPU. */
  readonly executionProviders?: ReadonlyArray<string | { readonly name: string }> | undefined
}

const firstDelay = Duration.millis(100)
const backoff = Schedule.min([Schedule.exponential(firstDelay), Schedule.spaced(Duration.seconds(10))])

/** Opens a session whose threads run the module `entry`. */
export const make = Effect.fnUntraced(function*(entry: URL, location: string | URL, options: Options = {}) {
  const grant = yield* Resources.Grant
  const { replicas = grant.replicas, warmup } = options
  const warmupRuns = warmup === undefined ? 0 : options.warmupRuns ?? 1
  if (!Number.isInteger(replicas) || replicas < 1) {
    return yield* Effect.die(new RangeError(`a session needs at least one replica, not ${replicas}`))
  }
  const path = yield* ModelFile.toPath(location)
  const progress = yield* track(path, replicas, 1 + warmupRuns)
  let signature: Replica.Signature = { inputs: [], outputs: [] }
  const pool = Pool.make(replicas, (feeds) => check(path, signature.inputs, feeds))

  /** One life of a replica: ready when `onReady` is called, over when its thread has exited. */
  const live = Effect.fnUntraced(
    function*(index: number, progress: (replica: number, step: number) => Effect.Effect<void>, onReady: () => void) {
      yield* progress(index, 0)
      yield* ModelFile.find(path)
      const session = sessionOptions({
        threads: options.threads ?? grant.threads,
        gpus: grant.gpus[index] ?? [],
        executionProviders: options.executionProviders
      })
      const replica = yield* Replica.start({ entry, path, index, session, onFree: pool.free, onExit: pool.remove })
      signature = yield* replica.loaded
      yield* progress(index, 1)
      for (let run = 1; run <= warmupRuns; run++) {
        yield* warmUp(path, signature, replica, warmup ?? {})
        yield* progress(index, 1 + run)
      }
      pool.add(replica)
      onReady()
      return yield* replica.exited
    },
    Effect.scoped
  )

  /** Keeps a replica alive; fails only when its first life does not begin. */
  const supervise = Effect.fnUntraced(function*(index: number, onReady: () => void) {
    let lost = yield* live(index, progress, onReady)
    while (true) {
      yield* Effect.logWarning(lost.message)
      yield* Effect.sleep(firstDelay)
      lost = yield* live(index, silent, () => {}).pipe(
        Effect.tapError((error) => Effect.sync(() => pool.lose(again(lost, error)))),
        Effect.retry(backoff),
        Effect.orDie
      )
    }
  })

  const threads = yield* Scope.make("parallel")
  const close = Effect.suspend(() => {
    pool.close(new SessionClosed({ path }))
    return Scope.close(threads, Exit.void)
  })
  yield* Effect.addFinalizer(() => close)
  yield* Effect.forEach(Array.from({ length: replicas }, (_, index) => index), (index) => {
    const ready = Deferred.makeUnsafe<void, LoadError>()
    return supervise(index, () => Deferred.doneUnsafe(ready, Exit.void)).pipe(
      Effect.onError((cause) => Deferred.failCause(ready, cause)),
      Effect.forkIn(threads),
      Effect.andThen(Deferred.await(ready))
    )
  }, { concurrency: "unbounded", discard: true }).pipe(Effect.onError(() => close))

  const { inputs, outputs } = signature
  const session: Session = { inputs, outputs, replicas, run: runner(path, signature, pool) }
  return session
})

const runner = (path: string, { inputs, outputs }: Replica.Signature, pool: Pool.Pool): Session["run"] => {
  const run = (feeds: Tensors, schemas?: OutputSchemas) =>
    Effect.callback<Tensors, RunError>((resume) => {
      const bad = check(path, inputs, feeds)
      if (bad !== undefined) return resume(Effect.fail(bad))
      if (schemas !== undefined) checkSchemas(path, outputs, schemas)
      const call: Pool.Call = {
        feeds,
        outputs: schemas === undefined ? undefined : Object.keys(schemas),
        complete: (exit) =>
          resume(schemas === undefined ? exit : Effect.tap(exit, (results) => checkOutputs(path, schemas, results)))
      }
      pool.submit(call)
      return Effect.sync(() => pool.withdraw(call))
    })
  // `checkSchemas` and `checkOutputs` make true what the overloads say about the types of the outputs.
  return run as Session["run"]
}

const silent = () => Effect.void

const warmUp = (path: string, { inputs }: Replica.Signature, replica: Replica.Replica, feeds: Tensors) =>
  Effect.callback<Tensors, BadFeeds | RunFailed | WorkerLost>((resume) => {
    const bad = check(path, inputs, feeds)
    if (bad !== undefined) return resume(Effect.fail(bad))
    replica.run({ feeds, outputs: undefined, complete: resume })
  })

const again = (lost: WorkerLost, error: LoadError): WorkerLost =>
  new WorkerLost({ ...lost, detail: `${lost.detail}, and it could not be started again: ${error.message}` })
