/**
 * Models for tests that answer by a script and remember how they were called.
 *
 * A fake satisfies the key of a service as an implementation does: payloads are checked, errors are typed, and time is
 * that of the `Clock`, so `TestClock` turns it.
 *
 * @since 0.2.0
 */
import { Clock, Context, Duration, Effect, Exit, Layer, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Model from "../Model.ts"

/**
 * What one call of a method does: answers, fails, dies or hangs, after a while or at once.
 *
 * `items` are what a streaming method delivers before it ends so; any other method has none.
 *
 * @category models
 * @since 0.2.0
 */
export interface Step<out A, out E> {
  readonly delay: Duration.Duration
  readonly items: ReadonlyArray<A>
  readonly end: Effect.Effect<A | void, E>
}

/**
 * What each call of a method does, by how many came before it and by its payload.
 *
 * @category models
 * @since 0.2.0
 */
export type Script<in Payload, out A, out E> = (payload: Payload, call: number) => Step<A, E>

/**
 * Answers with a value.
 *
 * @category steps
 * @since 0.2.0
 */
export const succeed = <A>(answer: A): Step<A, never> => step(Effect.succeed(answer))

/**
 * Fails with an error that the method declares, or with a reason such as `Unavailable`.
 *
 * @category steps
 * @since 0.2.0
 */
export const fail = <E>(error: E): Step<never, E> => step(Effect.fail(error))

/**
 * Dies, as a handler with a bug does.
 *
 * @category steps
 * @since 0.2.0
 */
export const die = (defect: unknown): Step<never, never> => step(Effect.die(defect))

/**
 * Never answers; it can be interrupted.
 *
 * @category steps
 * @since 0.2.0
 */
export const never: Step<never, never> = { delay: Duration.zero, items: [], end: Effect.never }

/**
 * Delivers the items of a streaming method, and then ends, or does what `then` says.
 *
 * @category steps
 * @since 0.2.0
 */
export const items = <A, E = never>(items: ReadonlyArray<A>, then?: Step<never, E>): Step<A, E> => ({
  delay: Duration.zero,
  items,
  end: then === undefined ? Effect.void : Effect.delay(then.end, then.delay)
})

/**
 * Waits before a step; before its first item where it delivers items.
 *
 * @category steps
 * @since 0.2.0
 */
export const delay = <A, E>(duration: Duration.Input, step: Step<A, E>): Step<A, E> => ({
  ...step,
  delay: Duration.sum(step.delay, Duration.fromInputUnsafe(duration))
})

const step = <A, E>(end: Effect.Effect<A, E>): Step<A, E> => ({ delay: Duration.zero, items: [], end })

/**
 * Does one step a call, in order. A call after the last step dies, and says so.
 *
 * @category scripts
 * @since 0.2.0
 */
export const script =
  <Steps extends ReadonlyArray<AnyStep>>(steps: readonly [...Steps]): ScriptOf<Steps[number]> => (_, call) =>
    // Each of the steps is of a type that the script is of, all together.
    (steps[call] ?? die(beyond(call, steps.length))) as ReturnType<ScriptOf<Steps[number]>>

const beyond = (call: number, steps: number) =>
  new Error(`call ${call + 1} of a method whose script has ${steps} steps`)

/**
 * Does the same step every time.
 *
 * @category scripts
 * @since 0.2.0
 */
export const always = <A, E>(step: Step<A, E>): Script<unknown, A, E> => () => step

/**
 * Does the steps in order, and begins again after the last one.
 *
 * @category scripts
 * @since 0.2.0
 */
export const cycle = <Steps extends readonly [AnyStep, ...ReadonlyArray<AnyStep>]>(
  steps: readonly [...Steps]
): ScriptOf<Steps[number]> =>
(_, call) =>
  // As above.
  steps[call % steps.length] as ReturnType<ScriptOf<Steps[number]>>

type AnyStep = Step<unknown, unknown>

type ScriptOf<S extends AnyStep> = Script<
  unknown,
  S extends Step<infer A, infer _E> ? A : never,
  S extends Step<infer _A, infer E> ? E : never
>

/**
 * The scripts of a service, by method name. A method without one dies when it is called.
 *
 * @category models
 * @since 0.2.0
 */
export type Scripts<Rpcs extends Rpc.Any> = {
  readonly [R in Rpcs as R["_tag"]]?: Script<Rpc.Payload<R>, Item<R>, Model.HandlerError<R>>
}

type Item<R extends Rpc.Any> = Rpc.Success<R> extends Stream.Stream<infer A, infer _E, infer _R> ? A : Rpc.Success<R>

/**
 * A call that a fake has taken: when, in milliseconds of the `Clock`, and what became of it.
 *
 * @category models
 * @since 0.2.0
 */
export type Call<Rpcs extends Rpc.Any> = {
  readonly [R in Rpcs as R["_tag"]]: {
    readonly method: R["_tag"]
    readonly payload: Rpc.Payload<R>
    readonly at: number
    readonly outcome: "running" | "succeeded" | "failed" | "interrupted"
  }
}[Rpcs["_tag"]]

/**
 * The record of the calls of one fake.
 *
 * @category models
 * @since 0.2.0
 */
export interface Recorder<in out Self> {
  readonly _: (self: Self) => Self
}

/**
 * Satisfies a service with scripts, and records its calls.
 *
 * The payload of every call is checked against the contract before its step; a call that is refused is not recorded and
 * takes no step.
 *
 * **Example** (A model that is slow, then fails, then answers)
 *
 * ```ts
 * import { Model, ServiceError } from "chorale"
 * import { Fake } from "chorale/testing"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [
 *   Rpc.make("read", { payload: { page: Schema.Int }, success: Schema.String })
 * ]) {}
 *
 * const ReaderFake = Fake.layer(Reader, {
 *   read: Fake.script([
 *     Fake.delay("2 seconds", Fake.succeed("slow")),
 *     Fake.fail(new ServiceError.Unavailable({ detail: "restarting" })),
 *     Fake.succeed("text")
 *   ])
 * })
 *
 * export const program = Effect.gen(function*() {
 *   const reader = yield* Reader
 *   yield* Effect.retry(reader.read({ page: 1 }), { times: 2 })
 *   return (yield* Fake.calls(Reader)).length
 * }).pipe(Effect.provide(ReaderFake))
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  scripts: NoInfer<Scripts<Rpcs>>
): Layer.Layer<Self | Recorder<Self>> => {
  const recorder = recorderOf(service)
  const handlers = Effect.map(recorder, (calls) =>
    // The handlers of every method of the contract, by name; `scripts` has their types, which a loop over names erases.
    Object.fromEntries(Array.from(service.methods.values(), (method) => [
      method.name,
      handler(method, (scripts as Readonly<Record<string, AnyScript | undefined>>)[method.name], calls)
    ])) as object as Model.Handlers<Rpcs>)
  // Handlers that are made of scripts need no services, which the type of any handler does not say.
  const implementation = service.toLayer(handlers) as Layer.Layer<Self, never, Recorder<Self>>
  return Layer.provideMerge(implementation, Layer.sync(recorder, () => []))
}

/**
 * The calls that the fake of a service has taken, oldest first, each as it is by now.
 *
 * Needs the layer of the fake in the context, beside whatever wraps it.
 *
 * @category accessors
 * @since 0.2.0
 */
export const calls = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>
): Effect.Effect<ReadonlyArray<Call<Rpcs>>, never, Recorder<Self>> =>
  // What is recorded are the payloads of this contract, by the names of its methods.
  Effect.map(recorderOf(service), (calls) =>
    calls.map((call) => ({ ...call })) as ReadonlyArray<unknown> as ReadonlyArray<Call<Rpcs>>)

type AnyScript = Script<unknown, unknown, unknown>

interface AnyCall {
  readonly method: string
  readonly payload: unknown
  readonly at: number
  outcome: "running" | "succeeded" | "failed" | "interrupted"
}

const recorderOf = <Self>(service: Context.Key<Self, unknown>) =>
  Context.Service<Recorder<Self>, Array<AnyCall>>(`chorale/testing/Fake/${service.key}`)

const handler = (method: Model.Definition, script: AnyScript = unscripted(method.name), calls: Array<AnyCall>) => {
  let count = 0
  const begin = (payload: unknown) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      const call: AnyCall = { method: method.name, payload, at, outcome: "running" }
      calls.push(call)
      return { call, step: script(payload, count++) }
    })
  return method.stream
    ? (payload: unknown) => Stream.unwrap(Effect.map(begin(payload), streamStep))
    : (payload: unknown) => Effect.flatMap(begin(payload), runStep)
}

const unscripted = (method: string): AnyScript => () => die(new Error(`the fake has no script for ${method}`))

interface Begun {
  readonly call: AnyCall
  readonly step: Step<unknown, unknown>
}

const noteEnd = (call: AnyCall) => (exit: Exit.Exit<unknown, unknown>) =>
  Effect.sync(() => {
    call.outcome = Exit.isSuccess(exit) ? "succeeded" : Exit.hasInterrupts(exit) ? "interrupted" : "failed"
  })

const runStep = ({ call, step }: Begun) =>
  Effect.onExit(Effect.andThen(Effect.sleep(step.delay), step.end), noteEnd(call))

const streamStep = ({ call, step }: Begun): Stream.Stream<unknown, unknown> =>
  Stream.fromIterable(step.items).pipe(
    Stream.rechunk(1),
    Stream.concat(Stream.fromEffectDrain(step.end)),
    (items) => Stream.unwrap(Effect.as(Effect.sleep(step.delay), items)),
    Stream.onExit(noteEnd(call))
  )
