/** The layer of a service whose handlers are made from its contract, without static types of their own. */
import type { Effect, Layer, Scope, Stream } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Model from "../Model.ts"

// oxlint-disable-next-line no-explicit-any -- each handler takes the payload of its method, whose type is erased
type Handler = (payload: any) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** `service.toLayer` for handlers by the names of its methods. */
export const toLayer = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  build: Effect.Effect<Readonly<Record<string, Handler>>, E, R>
): Layer.Layer<Self, E, Exclude<R, Scope.Scope>> =>
  // The handlers are made from the contract, so their types are those of `Rpcs`.
  service.toLayer(build as Effect.Effect<unknown, E, R> as Effect.Effect<Model.Handlers<Rpcs>, E, R>) as Layer.Layer<
    Self,
    E,
    Exclude<R, Scope.Scope>
  >
