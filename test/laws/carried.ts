/**
 * Contracts in the form that a protocol of others has for them.
 *
 * The services of the laws have methods of many kinds, which such a protocol cannot carry as they are. A caller calls
 * them all the same, and a replica implements them: between the two, each method travels in the form that there is, and
 * a method for which there is none is missing.
 */
import type { Model } from "chorale"
import type { Laws } from "chorale/testing"
import { Effect, Layer, type Scope, type Stream } from "effect"
import type { Rpc } from "effect/rpc"
import * as ErasedLayer from "../../src/internal/erasedLayer.ts"

/** What is satisfied where a contract is in another form. */
export interface Served {
  readonly _: unique symbol
}

/** A contract in another form, whose types are erased. */
export type Contract = Model.ServiceClass<Served, string, Rpc.Any>

/** The functions of an implementation or of a client that answer once, by method name. */
export type Methods = Readonly<Record<string, (payload: unknown) => Effect.Effect<unknown, unknown>>>

/** The form that a protocol has for contracts. */
export interface Form {
  /** A contract in its form, under the same name. */
  readonly contractOf: (service: Model.Any) => Contract
  /** The handlers of the contract in its form, made of those of the contract. */
  readonly fromHandlers: (service: Model.Any, handlers: Methods) => Methods
  /** The functions of the contract, made of those of the contract in its form. */
  readonly toClient: (service: Model.Any, client: Methods) => Methods
}

// oxlint-disable-next-line no-explicit-any -- each handler takes the payload of its method, whose type is erased
type Handler = (payload: any) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** Implements a contract in its form with the functions of the contract itself. */
export const implement = <R>(
  form: Form,
  service: Model.Any,
  handlers: Effect.Effect<Readonly<Record<string, Handler>>, never, R>
): Layer.Layer<Served, never, Exclude<R, Scope.Scope>> =>
  ErasedLayer.toLayer(
    form.contractOf(service),
    // No form has methods that stream.
    Effect.map(handlers, (handlers) => form.fromHandlers(service, handlers as Methods))
  )

/** Satisfies a contract with its form, wherever that is. */
export const connect = (
  form: Form,
  to: (contract: Contract) => Layer.Layer<Served, unknown>
): Laws.Connect =>
<Self, Name extends string, Rpcs extends Rpc.Any>(service: Model.ServiceClass<Self, Name, Rpcs>) => {
  const contract = form.contractOf(service)
  return Layer.effect(
    service,
    // The functions of a contract whose types are erased; those that there are have the types of `Rpcs`.
    Effect.map(
      contract,
      (client) => form.toClient(service, client as unknown as Methods) as unknown as Model.Client<Rpcs>
    )
  ).pipe(Layer.provide(to(contract)))
}
