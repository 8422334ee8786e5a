/** What the policies have in common: a layer goes in, and a layer of the same service comes out. */
import { Effect, Layer, type Scope, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import * as Deadlines from "../internal/deadline.ts"
import type * as Model from "../Model.ts"
import * as Order from "./order.ts"
import type { Applied } from "./order.ts"

/**
 * A layer of any service that knows its key, as `toLayer`, `Resources.require` and `Traffic.of` give it.
 *
 * @category models
 * @since 0.2.0
 */
// oxlint-disable-next-line no-explicit-any -- a layer of any service; a policy gives back the type that it was given
export type AnyLayer = Model.ServiceLayer<any, any, any>

/** What a layer of a service with these methods has; the compiler names the method that is missing. */
interface Serving<Methods> {
  readonly service: { readonly Identifier: { readonly Service: Methods } }
}

/** Asks for methods of these names; a policy that names none is for a service of any methods. */
export type Naming<Method extends string> = [Method] extends [never] ? unknown
  : Serving<{ readonly [M in Method]: unknown }>

/**
 * Changes how a service is called, and nothing of its type.
 *
 * What it is applied to needs the methods that the policy names. The state of a policy, such as its queue, is made
 * each time that the layer is built.
 *
 * @category models
 * @since 0.2.0
 */
export interface Policy<Method extends string> {
  <L extends AnyLayer>(self: L & Naming<Method>): L
}

/**
 * A policy for methods whose result is an `Effect`.
 *
 * @category models
 * @since 0.2.0
 */
export interface EffectPolicy<out Method extends string> {
  <L extends AnyLayer>(
    self: L & Serving<{ readonly [M in Method]: (payload: never) => Effect.Effect<unknown, unknown> }>
  ): L
}

/** A method that returns an `Effect`, with its types erased. */
export type EffectMethod = (payload: unknown) => Effect.Effect<unknown, unknown>

/** A method that returns a `Stream`, with its types erased. */
export type StreamMethod = (payload: unknown) => Stream.Stream<unknown, unknown>

/** Puts a policy around the methods of one service. */
export interface Around {
  readonly effect: (method: Model.Definition, call: EffectMethod) => EffectMethod
  readonly stream: (method: Model.Definition, call: StreamMethod) => StreamMethod
}

/** The methods for which a policy is: those named, or all. */
export interface Selection {
  readonly methods?: ReadonlyArray<string> | undefined
}

/** Makes a policy from what it does; `build` runs each time that the layer is built, in the scope of the layer. */
export const make = (
  name: Applied["name"],
  { methods }: Selection,
  build: (service: Model.Any) => Effect.Effect<Around, never, Scope.Scope>
) =>
<L extends AnyLayer>(self: L): L => {
  // A service layer has the class of its service as its key.
  const service = self.service as Model.Any
  const unknown = methods?.find((method) => !service.methods.has(method))
  if (unknown !== undefined) {
    throw new TypeError(
      `Traffic.${name}: ${service.key} has no method ${unknown}; it has ${[...service.methods.keys()].join(", ")}`
    )
  }
  const inner = policies(self)
  const applied: Applied = { name, methods: methods ?? [...service.methods.keys()] }
  const seen = Order.check(service.key, applied, inner)
  const wrapped = Layer.effect(
    service,
    Effect.gen(function*() {
      // The key of the layer is what finds the functions of its service.
      const client = (yield* service) as Model.AnyClient
      const hidden = policiesOf(client).filter((other) => !inner.includes(other))
      const warnings = [...seen, ...Order.warnings(service.key, applied, hidden)]
      for (const warning of warnings) yield* Effect.logWarning(warning)
      const around = yield* build(service)
      const wrapped = wrap(service, client, new Set(applied.methods), around)
      aroundFunctions.set(wrapped, [...hidden, ...inner, applied])
      return wrapped
    })
  )
  return withPropertiesOf(self, Layer.provideMerge(wrapped, self), [...inner, applied])
}

/** What is around the functions of a service, also where its layer does not tell any more, as after `Layer.provide`. */
const aroundFunctions = new WeakMap<Model.AnyClient, ReadonlyArray<Applied>>()

const policiesOf = (client: Model.AnyClient): ReadonlyArray<Applied> => aroundFunctions.get(client) ?? []

const wrap = (
  service: Model.Any,
  client: Model.AnyClient,
  selected: ReadonlySet<string>,
  around: Around
): Model.AnyClient => {
  const wrapped: Record<string, Model.AnyClient[string]> = { ...client }
  for (const [name, method] of service.methods) {
    const call = client[name]
    if (call === undefined || !selected.has(name)) continue
    // The contract says which of the two a method returns; the erased types do not.
    wrapped[name] = method.stream
      ? around.stream(method, call as StreamMethod)
      : around.effect(method, call as EffectMethod)
  }
  aroundFunctions.set(wrapped, policiesOf(client))
  return wrapped
}

/** Gives a layer what another has beside its services: its key, its request and whatever else was put on it. */
const withPropertiesOf = <L extends AnyLayer>(
  from: L,
  to: Layer.Layer<never, unknown, unknown>,
  policies: ReadonlyArray<Applied>
) =>
  // The layer has the services, errors and needs of `from`, and now its properties too.
  Object.assign(
    to,
    Object.fromEntries(Object.entries(from).filter(([name]) => !(name in to))),
    { policies }
  ) as unknown as L

/**
 * The policies of a layer, the outermost last.
 *
 * @category getters
 * @since 0.2.0
 */
export const policies = (layer: Layer.Any): ReadonlyArray<Applied> =>
  // Only policies, and what keeps them, put this property on a layer.
  (layer as { readonly policies?: ReadonlyArray<Applied> }).policies ?? []

/**
 * Makes policies applicable to a layer of any origin, such as `Remote.layerHttp`, `Socket.layerClient`, `Layer.mock` or
 * the result of `Layer.provide`.
 *
 * Its calls keep to the deadline of their fiber, also where the layer would not do so itself.
 *
 * **Example** (A service elsewhere, called with at most 8 calls at a time)
 *
 * ```ts
 * import { Model, Remote, Traffic } from "chorale"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderRemote = Traffic.of(Reader, Remote.layerHttp(Reader, { url: "http://127.0.0.1:3000" })).pipe(
 *   Traffic.limit({ concurrency: 8, queue: 64 })
 * )
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const of = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  layer: Layer.Layer<Self, E, R>
): Model.ServiceLayer<Self, E, R> => {
  const key: Model.Any = service
  const selected = new Set(key.methods.keys())
  const bounded = Layer.effect(
    service,
    // The functions keep their types: only the deadline is put around them.
    Effect.map(service, (client) => wrap(key, client as Model.AnyClient, selected, withDeadline(key)) as typeof client)
  )
  return Object.assign(Layer.provideMerge(bounded, layer), { service, policies: policies(layer) })
}

const withDeadline = (service: Model.Any): Around => ({
  effect: (method, call) => {
    const keep = Deadlines.forEffect(service.key, method.name)
    return (payload) => Effect.withFiber((fiber) => keep(fiber, call(payload)))
  },
  stream: (method, call) => {
    const keep = Deadlines.forStream(service.key, method.name)
    return (payload) => Stream.unwrap(Effect.withFiber((fiber) => Effect.succeed(keep(fiber, call(payload)))))
  }
})
