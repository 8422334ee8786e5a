/** Forms of contracts in which each method is one too. */
import { Model } from "chorale"
import { Effect } from "effect"
import { Rpc } from "effect/rpc"
import type * as Carried from "./carried.ts"

/** Turns values into another form, and back. */
export interface Conversion {
  readonly encode: (value: unknown) => unknown
  readonly decode: (carried: unknown) => unknown
}

/** A method in another form. */
export interface Method {
  readonly rpc: Rpc.Any
  readonly payload: Conversion
  readonly result: Conversion
}

/** The form of contracts whose methods have this one; where there is none, a method is missing. */
export const make = (methodOf: (method: Model.Definition) => Method | undefined): Carried.Form => {
  const methodsOf = (service: Model.Any) =>
    Array.from(service.methods.values()).flatMap((definition): ReadonlyArray<readonly [string, Method]> => {
      const method = methodOf(definition)
      return method === undefined ? [] : [[definition.name, method]]
    })
  return {
    contractOf: (service) => Model.Service<Carried.Served>()(service.key, methodsOf(service).map(([, { rpc }]) => rpc)),
    fromHandlers: (service, handlers) =>
      Object.fromEntries(
        methodsOf(service).map(([name, { payload, result }]) => [
          name,
          (carried) => Effect.map(handlers[name]!(payload.decode(carried)), result.encode)
        ])
      ),
    toClient: (service, client) =>
      Object.fromEntries(
        methodsOf(service).map(([name, { payload, result }]) => [
          name,
          (given) => Effect.suspend(() => Effect.map(client[name]!(payload.encode(given)), result.decode))
        ])
      )
  }
}

/** Values as they are. */
export const same: Conversion = { encode: (value) => value, decode: (value) => value }

/** The methods that answer once, as they are. */
export const once: Carried.Form = make(({ error, name, payload, stream, success }) =>
  stream ? undefined : { rpc: Rpc.make(name, { payload, success, error }), payload: same, result: same }
)
