/**
 * Contracts for model services.
 *
 * A model service is a name and a set of methods, each a function from a
 * payload to an `Effect` or a `Stream`. The class made by `Service` is the
 * `Context` key of that set of functions, so the same key is satisfied by an
 * implementation in this process, by a worker, or by a server elsewhere.
 *
 * @since 0.1.0
 */
import { Context, type Effect, Layer, type Scope, type Stream } from "effect"
import type { Rpc } from "effect/rpc"
import { declare, type Definition, type Protocol, toProtocol } from "./internal/contract.ts"
import * as Local from "./internal/localService.ts"
import type * as ServiceError from "./ServiceError.ts"

export type { Definition, Protocol } from "./internal/contract.ts"
export { streamOf, type StreamSchema } from "./internal/payloadStream.ts"

/**
 * The function a caller sees for one method.
 *
 * A method with a streaming result returns a `Stream`, any other an `Effect`; both may fail with `ServiceError`.
 *
 * @category models
 * @since 0.1.0
 */
export type Method<R extends Rpc.Any> = Rpc.Success<R> extends Stream.Stream<infer A, infer E, infer _R>
  ? (payload: Rpc.PayloadConstructor<R>) => Stream.Stream<A, E | Rpc.Error<R> | ServiceError.ServiceError>
  : (payload: Rpc.PayloadConstructor<R>) => Effect.Effect<Rpc.Success<R>, Rpc.Error<R> | ServiceError.ServiceError>

/**
 * The functions of a service, by method name.
 *
 * @category models
 * @since 0.1.0
 */
export type Client<Rpcs extends Rpc.Any> = {
  readonly [R in Rpcs as R["_tag"]]: Method<R>
}

/**
 * What a handler may fail with: the errors its contract declares, a `ServiceError` passed on from a service it called,
 * or a bare reason such as `Unavailable`, which becomes a `ServiceError` of the handler's own service and method.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlerError<R extends Rpc.Any> =
  | (Rpc.Success<R> extends Stream.Stream<infer _A, infer E, infer _R> ? E : never)
  | Rpc.Error<R>
  | ServiceError.ServiceError
  | ServiceError.Reason

/**
 * The function an implementation supplies for one method; it may need services of its own.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<R extends Rpc.Any> = Rpc.Success<R> extends Stream.Stream<infer A, infer _E, infer _R>
  // oxlint-disable-next-line no-explicit-any -- a handler may need any services; `toLayer` moves them into the layer's type
  ? (payload: Rpc.Payload<R>) => Stream.Stream<A, HandlerError<R>, any>
  // oxlint-disable-next-line no-explicit-any -- as above
  : (payload: Rpc.Payload<R>) => Effect.Effect<Rpc.Success<R>, HandlerError<R>, any>

/**
 * What an implementation supplies: a function for every method of the contract.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<Rpcs extends Rpc.Any> = {
  readonly [R in Rpcs as R["_tag"]]: Handler<R>
}

/**
 * The services that the handlers of an implementation need while they run.
 *
 * @category utility types
 * @since 0.1.0
 */
export type HandlersServices<H> = {
  readonly [K in keyof H]: H[K] extends (payload: never) => Effect.Effect<infer _A, infer _E, infer R> ? R
    : H[K] extends (payload: never) => Stream.Stream<infer _A, infer _E, infer R> ? R
    : never
}[keyof H]

/**
 * A layer that satisfies one service and knows its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceLayer<in out Self, out E, out R> extends Layer.Layer<Self, E, R> {
  readonly service: Context.Key<Self, unknown>
}

/**
 * The class of a model service: its `Context` key, its contract, and how to implement it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<in out Self, in out Name extends string, in out Rpcs extends Rpc.Any>
  extends Context.ServiceClass<Self, Name, Client<Rpcs>>
{
  /** The methods as they are declared, by name. */
  readonly methods: ReadonlyMap<string, Definition>

  /**
   * The methods as they travel: RPCs named `<service>/<method>` of values that are encoded by the ends of a hop.
   */
  readonly protocol: Protocol

  /**
   * Implements the service in this process.
   *
   * The payload of every call is checked against the contract first, in time that depends on its fields and not on the
   * elements of its tensors; a payload that does not fit is `InvalidPayload`. A call runs in a span named
   * `<service>.<method>`, with the services of the layer and, of the caller, only what a call carries over any
   * distance: its trace and its interruption.
   */
  toLayer<H extends Handlers<Rpcs>, EX = never, RX = never>(
    build: H | Effect.Effect<H, EX, RX>
  ): ServiceLayer<Self, EX, Exclude<RX, Scope.Scope> | HandlersServices<H>>
}

/**
 * A model service of any name and methods.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line no-explicit-any -- a key of any service, whose type `Identifier` recovers
export interface Any extends Context.Key<any, any> {
  readonly methods: ReadonlyMap<string, Definition>
  readonly protocol: Protocol
}

/**
 * The services that the given classes are keys of.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Identifier<Service extends Any> = Service extends Context.Key<infer Self, infer _Shape> ? Self : never

/**
 * The methods of a service of any type, as a caller without static types sees them.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyClient = Readonly<
  Record<string, (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>>
>

/**
 * Defines a model service: a key that is unique in the application, and its methods.
 *
 * **Example** (A service with one method)
 *
 * ```ts
 * import { Model, Tensor } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * export class Embedder extends Model.Service<Embedder>()("search/Embedder", [
 *   Rpc.make("embed", {
 *     payload: { text: Schema.NonEmptyString },
 *     success: Tensor.schema("float32", [384])
 *   })
 * ]) {}
 *
 * export const EmbedderFake = Embedder.toLayer({
 *   embed: () => Effect.succeed(Tensor.zeros("float32", [384]))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Name extends string, const Rpcs extends ReadonlyArray<Rpc.Any>>(
  name: Name,
  methods: Rpcs
): ServiceClass<Self, Name, Rpcs[number]> => {
  const declared = declare(methods)
  // @effect-diagnostics-next-line classSelfMismatch:off
  class Key extends Context.Service<Self, AnyClient>()(name) {
    static readonly methods = declared
    static readonly protocol = toProtocol(name, declared)
    static toLayer(build: Local.Handlers | Effect.Effect<Local.Handlers>) {
      return Object.assign(Layer.effect(Key, Local.make(name, declared, build)), { service: Key })
    }
  }
  // The methods are a runtime value here; their types are those of `Rpcs`, which the declared return type carries.
  return Key as unknown as ServiceClass<Self, Name, Rpcs[number]>
}
