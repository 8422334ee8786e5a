/** The implementations of the services that the laws are tried on. */
import { Duration, Effect, Layer, Option, Semaphore, Stream, type Tracer } from "effect"
import type { Rpc } from "effect/rpc"
import * as Deadline from "../Deadline.ts"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Journal from "./laws/journal.ts"
import * as Recorder from "./laws/recorder.ts"
import { Probe, Relay, type SpanReport } from "./Probe.ts"

/**
 * How many calls of `hold` a replica takes at a time; one more is `Overloaded`.
 *
 * @category constants
 * @since 0.2.0
 */
export const holdCapacity = 4

/**
 * How long a call of `hold` that is refused is told to wait.
 *
 * @category constants
 * @since 0.2.0
 */
export const holdRetryAfter = Duration.millis(1500)

/**
 * The functions of an implementation that needs no services while it runs, by method name.
 *
 * @category utility types
 * @since 0.3.0
 */
export type HandlersOf<Service> = Service extends Model.ServiceClass<infer _Self, infer _Name, infer Rpcs> ? {
    readonly [R in Rpcs as R["_tag"]]: (
      payload: Rpc.Payload<R>
    ) => Rpc.Success<R> extends Stream.Stream<infer A, infer _E, infer _R> ? Stream.Stream<A, Model.HandlerError<R>>
      : Effect.Effect<Rpc.Success<R>, Model.HandlerError<R>>
  } :
  never

/**
 * Implements `Probe` in this process.
 *
 * `crash` is what its method of that name does: end this process or thread at once. Without it the method dies, and
 * the law about replicas that die needs a location that can `kill` in some other way.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerProbe = (options: { readonly crash?: Effect.Effect<void> } = {}): Layer.Layer<Probe> =>
  Probe.toLayer(probeHandlers(options))

/**
 * The functions that implement `Probe`, for a contract that carries them in another form.
 *
 * @category constructors
 * @since 0.3.0
 */
export const probeHandlers = (
  options: { readonly crash?: Effect.Effect<void> } = {}
): Effect.Effect<HandlersOf<typeof Probe>> =>
  Effect.gen(function*() {
    const journal = yield* Journal.make
    const turns = yield* Semaphore.make(1)
    let held = 0
    const release = Effect.sync(() => {
      held--
    })
    return {
      dtypes: Effect.succeed,
      ranks: Effect.succeed,
      values: Effect.succeed,
      bytes: ({ body }) => Effect.succeed(body),
      grow: ({ length }) => Effect.sync(() => new Uint8Array(length)),
      greet: ({ id, name }) => journal.watch(id)(Effect.succeed(`hello ${name}`)),
      pair: ({ id, two }) => journal.watch(id)(Effect.succeed(two)),
      double: ({ n }) => Effect.succeed(2 * n),
      refuse: ({ refusal }) => Effect.fail(refusal),
      shed: () => Effect.fail(new ServiceError.Overloaded({ retryAfter: holdRetryAfter })),
      fault: ({ message }) => Effect.die(new Error(message)),
      misfit: () => Effect.succeed(0.5),
      wait: ({ id }) => journal.watch(id)(Effect.never),
      rest: ({ duration, id }) => journal.watch(id)(Effect.sleep(duration)),
      turn: ({ duration, id }) => turns.withPermit(journal.watch(id)(Effect.sleep(duration))),
      hold: ({ id }) =>
        Effect.suspend(() => {
          if (held === holdCapacity) return Effect.fail(new ServiceError.Overloaded({ retryAfter: holdRetryAfter }))
          held++
          return Effect.ensuring(journal.watch(id)(Effect.never), release)
        }),
      count: ({ id, to }) => journal.watchStream(id)(countTo(to)),
      countAndRefuse: ({ refusal, to }) => Stream.concat(countTo(to), Stream.fail(refusal)),
      countAndFault: ({ message, to }) => Stream.concat(countTo(to), Stream.die(new Error(message))),
      drip: ({ id }) => journal.watchStream(id)(Stream.concat(Stream.succeed(1), Stream.never)),
      flood: ({ id, items, length }) =>
        journal.watchStream(id)(Stream.map(countTo(items), (item) => new Uint8Array(length).fill(item % 256))),
      remaining: ({ id }) => journal.watch(id)(remaining),
      span: () => spanReport,
      observe: ({ id }) => journal.read(id),
      crash: () => options.crash ?? Effect.die(new Error("this implementation was given no way to crash"))
    }
  })

/**
 * The functions that implement `Relay`, for a contract that carries them in another form.
 *
 * @category constructors
 * @since 0.3.0
 */
export const relayHandlers: Effect.Effect<HandlersOf<typeof Relay>, never, Probe> = Effect.map(Probe, (probe) => ({
  values: probe.values,
  refuse: probe.refuse,
  shed: probe.shed,
  fault: probe.fault,
  wait: probe.wait,
  rest: probe.rest,
  count: probe.count,
  countAndRefuse: probe.countAndRefuse,
  remaining: ({ id }) => Effect.all({ here: remaining, there: probe.remaining({ id }) }),
  span: () =>
    Effect.suspend(() => {
      const { spans, tracer } = Recorder.make()
      return Effect.all({ here: spanReport, there: Effect.withTracer(probe.span(), tracer) }).pipe(
        Effect.map(({ here, there }) => ({ here, there, between: spans.slice() }))
      )
    }),
  observe: probe.observe
}))

/**
 * Implements `Relay` in this process, over whatever satisfies `Probe`.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRelay: Layer.Layer<Relay, never, Probe> = Relay.toLayer(relayHandlers)

/**
 * Implements `Probe`, and `Relay` over it, in this process.
 *
 * **Example** (A process that serves both, for the laws)
 *
 * ```ts
 * import { Socket } from "chorale/node"
 * import { Laws } from "chorale/testing"
 * import { Effect, Layer } from "effect"
 *
 * export const Server = Socket.layerServer([Laws.Probe, Laws.Relay], { path: "/run/user/1000/laws.sock" }).pipe(
 *   Layer.provide(Laws.layer({ crash: Effect.sync(() => process.exit(1)) }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = (options: { readonly crash?: Effect.Effect<void> } = {}): Layer.Layer<Probe | Relay> =>
  Layer.provideMerge(layerRelay, layerProbe(options))

// One item at a time, so that each is an item of its own for whoever counts what a stream has produced.
const countTo = (to: number): Stream.Stream<number> => Stream.rechunk(Stream.range(1, to), 1)

const remaining = Effect.map(
  Deadline.remaining,
  (left) => Option.match(left, { onNone: () => null, onSome: (duration) => Duration.toMillis(duration) })
)

const spanReport: Effect.Effect<typeof SpanReport.Type> = Effect.map(
  Effect.orDie(Effect.currentSpan),
  ({ name, parent, sampled, spanId, traceId }) => ({ name, traceId, spanId, sampled, above: spanIdsOf(parent) })
)

const spanIdsOf = (span: Option.Option<Tracer.AnySpan>): ReadonlyArray<string> => {
  if (Option.isNone(span)) return []
  return [span.value.spanId, ...(span.value._tag === "Span" ? spanIdsOf(span.value.parent) : [])]
}
