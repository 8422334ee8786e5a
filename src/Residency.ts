/**
 * Which models are in memory, and when.
 *
 * A service whose layer loads a model can load it at the first call and release it when it has been idle (`idle`), or
 * be one of many models behind one service that share the memory there is (`keyed`). Either way a model can be loaded
 * again while calls run (`reload`).
 *
 * @since 0.2.0
 */
import { ByteSize, Context, type Duration, Effect, Function, Layer, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import * as Deadlines from "./internal/deadline.ts"
import type * as Model from "./Model.ts"
import * as Models from "./residency/models.ts"
import type * as Resources from "./Resources.ts"
import * as ServiceError from "./ServiceError.ts"
import { type AnyLayer, policies } from "./traffic/policy.ts"

/**
 * That the models of a service are loaded and released as they are called; what `reload` and `loaded` need.
 *
 * @category services
 * @since 0.2.0
 */
export interface Resident<in out Self> {
  readonly resident: (service: Self) => Self
}

/**
 * A layer whose models are loaded when they are called, so that building it cannot fail.
 *
 * @category models
 * @since 0.2.0
 */
export interface ResidentLayer<in out Self, out R> extends Layer.Layer<Self | Resident<Self>, never, R> {
  readonly service: Context.Key<Self, unknown>
}

/**
 * What `idle` makes of a layer: its errors become those of calls, and its request stays.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Idle<L extends AnyLayer> = L extends Model.ServiceLayer<infer Self, infer _E, infer R> ?
    & ResidentLayer<Self, R>
    & (L extends { readonly request: Resources.Request } ? { readonly request: Resources.Request } : unknown)
  : never

export type { Report } from "./residency/models.ts"

const key = <Self>(service: Context.Key<Self, unknown>): Context.Service<Resident<Self>, Models.Models> =>
  Context.Service<Resident<Self>, Models.Models>(`chorale/Residency/${service.key}`)

/** The key of the one model of a service. */
const only = "the model"

/**
 * Builds the layer of a service when it is first called, and releases it when it has not been called for a time.
 *
 * Calls that come while it is built wait for it, as long as their deadline allows; a call holds it until its end, and a
 * stream until it has ended. Where it cannot be built the calls that wait are `Unavailable` with the cause in `detail`,
 * and the next call tries again. What the layer needs is there all the time; what it builds within itself is not.
 *
 * **Example** (A model that leaves the memory after ten minutes)
 *
 * ```ts
 * import { Model, Residency } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * declare const loadModel: Effect.Effect<{ readonly run: Effect.Effect<string> }>
 *
 * export const ReaderLive = Reader.toLayer(Effect.map(loadModel, (model) => ({ read: () => model.run }))).pipe(
 *   Residency.idle({ timeToLive: "10 minutes" })
 * )
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const idle: {
  (options: { readonly timeToLive: Duration.Input }): <L extends AnyLayer>(self: L) => Idle<L>
  <L extends AnyLayer>(self: L, options: { readonly timeToLive: Duration.Input }): Idle<L>
} = Function.dual(2, <L extends AnyLayer>(self: L, options: { readonly timeToLive: Duration.Input }): Idle<L> => {
  // A service layer has the class of its service as its key.
  const service = self.service as Model.Any
  const layer = make(service, () => only, {
    lookup: () => self,
    memory: () => 0,
    capacity: Infinity,
    timeToLive: options.timeToLive
  })
  const { request } = self as { readonly request?: Resources.Request }
  // The layer needs what the one inside needs; its errors have become those of the calls.
  return Object.assign(layer, {
    service: self.service,
    policies: policies(self),
    ...(request === undefined ? {} : { request })
  }) as unknown as Idle<L>
})

/**
 * The key of the model that the calls of a fiber are for, where `keyed` is given no function for it.
 *
 * @category services
 * @since 0.2.0
 */
export const ModelKey: Context.Reference<string | undefined> = Context.Reference<string | undefined>(
  "chorale/Residency/ModelKey",
  { defaultValue: () => undefined }
)

/**
 * How the models of one service are found, chosen and kept.
 *
 * @category models
 * @since 0.2.0
 */
export interface KeyedOptions<Self, Rpcs extends Rpc.Any, E, R> {
  /**
   * The layer that loads the model of a key. It is looked up each time that the model is loaded. One that fails with a
   * reason of `ServiceError` says so to the call, such as `InvalidPayload` for a key that no model has.
   */
  readonly lookup: (key: string) => Layer.Layer<Self, E, R>
  /** The key of the model that a call is for: `ModelKey` of the fiber that calls, unless it is given. */
  readonly key?: (payload: Rpc.PayloadConstructor<Rpcs>, method: Rpcs["_tag"]) => string
  /** The memory for all models together. */
  readonly capacity: ByteSize.Input
  /** The memory of one model. */
  readonly memory: (key: string) => ByteSize.Input
  /** After what time without a call a model is released: never, unless it is given. */
  readonly timeToLive?: Duration.Input
}

/**
 * Satisfies a service with many models, of which those called last are in memory.
 *
 * A call loads its model where it is not there. For want of memory the models that no call uses are released first, the
 * one used least recently before others; where all are in use the call is refused with `Overloaded`. A model that is
 * larger than `capacity`, or cannot be loaded, is `Unavailable`; a call that names no model is `InvalidPayload`.
 *
 * **Example** (A model for each language, in 2 GiB of memory)
 *
 * ```ts
 * import { Model, Residency } from "chorale"
 * import { type Layer, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Translator extends Model.Service<Translator>()("Translator", [
 *   Rpc.make("translate", { payload: { language: Schema.String, text: Schema.String }, success: Schema.String })
 * ]) {}
 *
 * declare const translatorFor: (language: string) => Layer.Layer<Translator>
 *
 * export const TranslatorLive = Residency.keyed(Translator, {
 *   key: ({ language }) => language,
 *   lookup: translatorFor,
 *   memory: () => "512 MiB",
 *   capacity: "2 GiB"
 * })
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const keyed = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: KeyedOptions<Self, Rpcs, E, R>
): ResidentLayer<Self, R> => {
  // A method is given the payloads of its own; the types of both are erased here.
  const keyOf = options.key as ((payload: unknown, method: string) => string) | undefined
  const layer = make(service, keyOf, {
    lookup: options.lookup,
    memory: (key) => bytes(options.memory(key)),
    capacity: bytes(options.capacity),
    timeToLive: options.timeToLive ?? Infinity
  })
  // The layer needs what those that are looked up need.
  return Object.assign(layer, { service }) as unknown as ResidentLayer<Self, R>
}

/**
 * Loads a model again while calls run: those that begin later use the new one, those that run end on the old one, which
 * is closed after the last of them.
 *
 * Both are in memory until then. Where the new one cannot be loaded, or there is no memory for both, this fails and the
 * old one stays. For a service of `idle` no key is given.
 *
 * @category combinators
 * @since 0.2.0
 */
export const reload = <Self>(
  service: Context.Key<Self, unknown>,
  model: string = only
): Effect.Effect<void, ServiceError.ServiceError, Resident<Self>> =>
  Effect.flatMap(key(service), (models) => Effect.mapError(models.reload(model), errorOf(service.key, "reload")))

/**
 * The models of a service that are in memory, the one used least recently first.
 *
 * @category getters
 * @since 0.2.0
 */
export const loaded = <Self>(
  service: Context.Key<Self, unknown>
): Effect.Effect<ReadonlyArray<Models.Report>, never, Resident<Self>> =>
  Effect.map(key(service), (models) => models.report)

const bytes = (size: ByteSize.Input): number => ByteSize.toNumberUnsafe(ByteSize.fromInputUnsafe(size))

const errorOf = (service: string, method: string) => (reason: ServiceError.Reason) =>
  new ServiceError.ServiceError({ service, method, reason })

type KeyOf = (payload: unknown, method: string) => string

const make = (
  service: Model.Any,
  keyOf: KeyOf | undefined,
  options: Omit<Parameters<typeof Models.make>[0], "service">
): Layer.Layer<unknown> =>
  Layer.effectContext(Effect.gen(function*() {
    const models = yield* Models.make({ ...options, service })
    const methods = Array.from(
      service.methods,
      ([name, method]) => [name, resident(service.key, method, models, keyOf)]
    )
    return Context.make(service, Object.fromEntries(methods)).pipe(Context.add(key(service), models))
  }))

type AnyMethod = (payload: unknown) => Effect.Effect<unknown, unknown>
type AnyStreamMethod = (payload: unknown) => Stream.Stream<unknown, unknown>

const resident = (service: string, method: Model.Definition, models: Models.Models, keyOf: KeyOf | undefined) => {
  const attribute = errorOf(service, method.name)
  const keepDeadline = Deadlines.forEffect(service, method.name)
  const unnamed = Effect.fail(attribute(
    new ServiceError.InvalidPayload({
      issue: "no model is named: give Residency.keyed a key, or set Residency.ModelKey"
    })
  ))
  /** The function of the model that a payload is for. */
  const acquire = (payload: unknown) =>
    Effect.withFiber((fiber) => {
      const model = keyOf === undefined ? fiber.getRef(ModelKey) : keyOf(payload, method.name)
      if (model === undefined) return unnamed
      const loaded = Effect.mapError(models.acquire(model), attribute)
      return keepDeadline(fiber, Effect.map(loaded, (functions) => functions[method.name]))
    })
  // The contract says which of the two a method returns; the erased types do not.
  return method.stream
    ? (payload: unknown) => Stream.unwrap(Effect.map(acquire(payload), (call) => (call as AnyStreamMethod)(payload)))
    : (payload: unknown) => Effect.scoped(Effect.flatMap(acquire(payload), (call) => (call as AnyMethod)(payload)))
}
