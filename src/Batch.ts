/**
 * Many concurrent calls, one run of the model.
 *
 * A model that takes 32 rows in little more time than one answers 32 callers
 * at the price of one, if somebody puts their calls together. `make` does: an
 * executor that is free takes what waits. It holds a call back only for one or
 * two turns of the event loop, in which others may arrive, and at most a
 * millisecond, so a lone call is as fast as without it. Not every model gains:
 * convolutional nets on a CPU rather lose, so measure before you use it.
 *
 * @since 0.2.0
 */
import { type Array, Clock, type Duration, Effect, type Exit, Fiber, Scheduler, type Scope } from "effect"
import * as Deadline from "./Deadline.ts"
import { type Dispatcher, type Entry, make as makeDispatcher, type Refusal } from "./internal/batch/dispatcher.ts"
import * as Execution from "./internal/batch/execution.ts"
import { Failed, type Failure, type Success } from "./internal/batch/failed.ts"
import * as Metrics from "./internal/batch/metrics.ts"
import * as Parts from "./internal/batch/parts.ts"
import { resolve } from "./internal/batch/settings.ts"
import * as Tensors from "./internal/batch/tensors.ts"
import type { InvalidPayload } from "./ServiceError.ts"
import type * as Tensor from "./Tensor.ts"

export { NotStackable, stack, type Stacked, type StackedWithMask, unstack } from "./internal/batch/stack.ts"
export type { Failed, Failure, Refusal, Success }

/**
 * What runs, and what may run together. Everything but `run` has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options<Item, B, E, R> {
  /** Names its spans and is the label `batch` of its metrics; `batch` by default. */
  readonly name?: string
  /**
   * Runs the items of several calls, and gives a result for each in the same order: `failed` for an item that has none.
   *
   * It runs with the services of `make` and with the deadline of the call that has the longest, in a span of its own that
   * is linked with those of the calls; in none where there is no tracer, and neither `make` nor a call has a span. It is
   * interrupted when all its callers have gone. When it fails, all its calls fail.
   */
  readonly run: (items: Array.NonEmptyReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<B>, E, R>
  /** The most items of a run; 32 by default. */
  readonly maxSize?: number
  /**
   * How many runs there are at a time; by default the `replicas` of `Resources.Grant`. One more than a session has
   * replicas keeps the next run ready while they compute, for more throughput and somewhat more latency.
   */
  readonly executors?: number
  /** What an item weighs, such as its tokens or pixels, where that and not the number of items decides; 1 by default. */
  readonly cost?: (item: Item) => number
  /** The most that the items of a run cost together. An item that alone costs more runs alone. */
  readonly maxCost?: number
  /** Cuts an item that costs more than `maxCost` into several, whose results are then joined. */
  readonly oversized?: {
    readonly split: (item: Item, maxCost: number) => ReadonlyArray<Item>
    readonly join: (results: Array.NonEmptyReadonlyArray<Success<B>>, item: Item) => Success<B>
  }
  /**
   * The class of an item; a higher number goes first, 0 by default. While the higher classes have work for all
   * executors, the lower ones wait.
   */
  readonly priority?: (item: Item) => number
  /** What items must agree in to run together, such as their shape; compared with `===`. */
  readonly group?: (item: Item) => unknown
  /** How many items may wait while all executors are busy; 1024 by default. A call beyond these is `Overloaded`. */
  readonly maxQueue?: number
  /** Whether a run that fails is tried again in halves until what fails is alone; it must be safe to repeat. */
  readonly isolate?: boolean
  /**
   * Makes a free executor wait until there are `minSize` items (by default `maxSize`), of whatever group, but none longer
   * than `maxDelay`, and none so long that it would miss its deadline: a twentieth of its time is left for the way of
   * its answer. For an executor that is worth more than the time of the callers; by default nothing is held.
   */
  readonly hold?: { readonly minSize?: number; readonly maxDelay: Duration.Input }
}

/**
 * A function whose concurrent calls run together.
 *
 * A call that is interrupted takes its item out.
 *
 * @category models
 * @since 0.2.0
 */
export interface Batched<in Item, out A, out E> {
  (item: Item): Effect.Effect<A, E>
  readonly stats: Effect.Effect<Stats>
}

/**
 * What a batch has done so far, what it does, and what its runs take.
 *
 * @category models
 * @since 0.2.0
 */
export interface Stats {
  /** The runs that have begun, and the items in them. */
  readonly runs: number
  readonly items: number
  /** Items a run; 0 before the first. */
  readonly meanSize: number
  readonly waiting: number
  readonly running: number
  /**
   * What a run took of late, by least squares over the last 50: `perRun` milliseconds, and `perUnit` more for each item
   * or for each unit of their cost. `undefined` before the first run has ended.
   */
  readonly cost: { readonly perUnit: number; readonly perRun: number } | undefined
}

/**
 * Says that one item of a run has failed, in the place of its result.
 *
 * @category constructors
 * @since 0.2.0
 */
export const failed = <E>(error: E): Failed<E> => new Failed(error)

/**
 * Makes a function whose concurrent calls run together, from a function of many items.
 *
 * A call has what a service may fail with besides its own errors: `Overloaded` when the queue is full, with the time in
 * which it drains; `DeadlineExceeded` when its deadline (see `Deadline.within`) has passed, or when the last runs show
 * that it will have passed before the answer; `Unavailable` once the scope is closed, which interrupts what runs. A
 * handler may return them as they are.
 *
 * With several executors that are free, each takes an equal share. Within a priority, calls run in the order in which
 * they came.
 *
 * **Gotchas**
 *
 * A run that fails with an error fails all its calls with it. Return `failed` for a bad item, or set `isolate`.
 *
 * **Example** (A model that embeds many texts at once)
 *
 * ```ts
 * import { Batch, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Empty extends Schema.TaggedError<Empty>()("Empty", {}) {}
 *
 * class Embedder extends Model.Service<Embedder>()("search/Embedder", [
 *   Rpc.make("embed", { payload: { text: Schema.String }, success: Schema.Finite, error: Empty })
 * ]) {}
 *
 * declare const model: (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<number>>
 *
 * export const EmbedderLive = Embedder.toLayer(Effect.gen(function*() {
 *   const embed = yield* Batch.make({
 *     name: "embed",
 *     run: (texts: ReadonlyArray<string>) =>
 *       Effect.map(model(texts), (vectors) =>
 *         vectors.map((vector, index) => texts[index] === "" ? Batch.failed(new Empty()) : vector)),
 *     maxSize: 64
 *   })
 *   return { embed: ({ text }) => embed(text) }
 * }))
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = <Item, B, E = never, R = never>(
  options: Options<Item, B, E, R>
): Effect.Effect<Batched<Item, Success<B>, E | Failure<B> | Refusal>, never, R | Scope.Scope> =>
  assemble(options, options.run, (results, items) => {
    if (results.length === items.length) return results
    throw new RangeError(
      `${options.name ?? "batch"}: \`run\` gave ${results.length} results for ${items.length} items, not one for each`
    )
  })

/** A batch whose runs give something of which `finish` then makes the results of the items. */
const assemble = Effect.fnUntraced(function*<Item, C, B, E, R>(
  options: Omit<Options<Item, B, E, R>, "run">,
  run: (items: Array.NonEmptyReadonlyArray<Item>) => Effect.Effect<C, E, R>,
  finish: (output: C, items: Array.NonEmptyReadonlyArray<Item>) => ReadonlyArray<B>
): Effect.fn.Return<Batched<Item, Success<B>, E | Failure<B> | Refusal>, never, R | Scope.Scope> {
  const { cost = one, group = nothing, name = "batch", oversized, priority = zero } = options
  const settings = yield* resolve(options)
  const services = yield* Effect.context<R>()
  const clock = yield* Clock.Clock
  const scheduler = yield* Scheduler.Scheduler
  const metrics = Metrics.make(name, services)
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  let runs = 0
  let items = 0

  const execution = Execution.make<Item, C, B, E, R>({
    name,
    run,
    finish,
    isolate: options.isolate ?? false,
    services,
    onEnd(run, how) {
      const time = now()
      dispatcher.ended(run, how, time)
      metrics.ended(time - run.started)
    }
  })
  const dispatcher: Dispatcher<Item, Success<B>, E | Failure<B>> = makeDispatcher(settings, {
    now,
    turns: scheduler.makeDispatcher(),
    timer(millis, wake) {
      const fiber = Effect.runForkWith(services)(Effect.andThen(Effect.sleep(millis), Effect.sync(wake)))
      return () => fiber.interruptUnsafe()
    },
    begin(run) {
      runs++
      items += run.entries.length
      const waiting = dispatcher.load().items
      execution.begin(run)
      // Not before the run is on its way.
      metrics.began(run.entries, run.started, waiting)
    },
    onRefusal: metrics.refused
  })
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      dispatcher.close()
      return Fiber.interruptAll(execution.fibers.slice())
    })
  )

  type Answer = Exit.Exit<Success<B>, E | Failure<B> | Refusal>
  const entry = (
    fiber: Fiber.Fiber<unknown, unknown>,
    item: Item,
    weight: number,
    answer: (exit: Answer) => void
  ): Entry<Item, Success<B>, E | Failure<B>> => {
    const { span } = fiber.cache
    return {
      item,
      cost: weight,
      priority: rank(item),
      group: group(item),
      arrived: now(),
      deadline: fiber.getRef(Deadline.Current),
      span: span?._tag === "Span" && span.sampled ? span : undefined,
      answer,
      run: undefined
    }
  }
  const weigh = (item: Item): number => {
    const weight = cost(item)
    if (weight >= 0 && weight < Infinity) return weight
    throw new RangeError(`${name}: the cost of an item must be a number >= 0, not ${weight}`)
  }
  const rank = (item: Item): number => {
    const rank = priority(item)
    if (!Number.isNaN(rank)) return rank
    throw new RangeError(`${name}: the priority of an item must be a number, not NaN`)
  }

  const call = (item: Item) =>
    Effect.withFiber<Success<B>, E | Failure<B> | Refusal>((fiber) => {
      const weight = weigh(item)
      if (oversized !== undefined && weight > settings.limit.cost) {
        const parts = oversized.split(item, settings.limit.cost)
        return Parts.submit(dispatcher, parts, (part, answer) =>
          entry(fiber, part, weigh(part), answer), (results) =>
          oversized.join(results, item))
      }
      return Effect.callback((resume) => {
        const only = entry(fiber, item, weight, resume)
        const refusal = dispatcher.submit([only])
        if (refusal !== undefined) {
          return resume(Effect.fail(refusal))
        }
        return Effect.sync(() =>
          dispatcher.withdraw(only)
        )
      })
    })
  const stats = Effect.sync((): Stats => ({
    runs,
    items,
    meanSize: runs === 0 ? 0 : items / runs,
    waiting: dispatcher.load().items,
    running: dispatcher.running(),
    cost: dispatcher.line()
  }))
  return Object.assign(call, { stats })
})

/**
 * What runs, and how its tensors are put together. Everything but `run` has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface TensorsOptions<Feeds, Outputs, E, R>
  extends Pick<Options<Feeds, Outputs, E, R>, "name" | "executors" | "priority" | "maxQueue" | "isolate" | "hold">
{
  /** Runs the model once for the rows of all calls, and gives for each output a row for each that it got. */
  readonly run: (feeds: Feeds) => Effect.Effect<Outputs, E, R>
  /** The most rows of a run; 32 by default. A call with more is cut up. */
  readonly maxSize?: number
  /**
   * The value with which an input is filled up at the end where the calls differ in more than the number of rows. Where
   * there is none, only calls of the same shape run together.
   */
  readonly pad?: { readonly [Name in keyof Feeds]?: PadOf<Feeds[Name]> }
  /** Cuts an output along its second axis to the length that this input of the call has along its second: `pad` undone. */
  readonly trim?: { readonly [Name in keyof Outputs]?: keyof Feeds & string }
  /**
   * Gives the memory of the stacked inputs and outputs back as soon as the outputs are cut up, which spares a busy
   * process most of its garbage collection. For a `run` that lets nobody keep either, such as that of a session.
   */
  readonly free?: boolean
}

type PadOf<T> = T extends Tensor.Tensor<infer D> ? Tensor.Arrays[D][number] : never

/**
 * Makes a function of tensors whose concurrent calls run together, stacked along their first axis.
 *
 * The tensors of a call must have the same number of rows, else the reason is `InvalidPayload`. Its answer has as many,
 * in memory of its own.
 *
 * **Example** (A classifier on ONNX Runtime)
 *
 * ```ts
 * import { Batch, Model, Tensor } from "chorale"
 * import { Onnx } from "chorale/onnx"
 * import { Effect } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * const Scores = Tensor.schema("float32", ["batch", 10])
 *
 * class Digits extends Model.Service<Digits>()("Digits", [
 *   Rpc.make("classify", { payload: { image: Tensor.schema("float32", ["batch", 784]) }, success: Scores })
 * ]) {}
 *
 * export const DigitsLive = Digits.toLayer(Effect.gen(function*() {
 *   const session = yield* Onnx.session("digits.onnx")
 *   const classify = yield* Batch.tensors({
 *     run: (feeds: { readonly image: Tensor.Tensor<"float32", 2> }) => session.run(feeds, { scores: Scores }),
 *     maxSize: 64
 *   })
 *   return { classify: ({ image }) => classify({ image }).pipe(Effect.map(({ scores }) => scores), Onnx.orUnavailable) }
 * }))
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const tensors = Effect.fnUntraced(function*<
  Feeds extends Tensors.Tensors,
  Outputs extends Tensors.Tensors,
  E = never,
  R = never
>(
  options: TensorsOptions<Feeds, Outputs, E, R>
): Effect.fn.Return<
  Batched<Feeds, Success<Outputs>, E | Failure<Outputs> | Refusal | InvalidPayload>,
  never,
  R | Scope.Scope
> {
  const { finish, run, ...limits } = Tensors.toBatch(options)
  const batched = yield* assemble({ ...options, ...limits }, run, finish)
  const call = (feeds: Feeds) =>
    Effect.suspend<Success<Outputs>, E | Failure<Outputs> | Refusal | InvalidPayload, never>(() => {
      const invalid = Tensors.check(feeds)
      return invalid === undefined ? batched(feeds) : Effect.fail(invalid)
    })
  return Object.assign(call, { stats: batched.stats })
})

const one = () => 1
const zero = () => 0
const nothing = () => undefined
