/** A service between its callers and what implements it: that may change, and the calls are counted. */
import { Effect, Stream } from "effect"
import type * as Model from "../Model.ts"

export interface Relay {
  readonly client: Model.AnyClient
  /** Calls that have begun and not ended. */
  readonly inFlight: () => number
  /** Where calls go from now on; those that run stay where they are. */
  readonly turnTo: (client: Model.AnyClient) => void
}

/** Calls die until it is first turned to something. */
export const make = (service: Model.Any): Relay => {
  let current: Model.AnyClient = {}
  let calls = 0
  const leave = () => {
    calls--
    return undefined
  }
  const begin = <A>(name: string, payload: unknown): A => {
    const call = current[name]
    if (call === undefined) throw new TypeError(`${service.key}.${name} was called before it was there`)
    calls++
    // The contract says whether a method returns an effect or a stream; the erased types do not.
    return call(payload) as A
  }
  const client: Record<string, Model.AnyClient[string]> = {}
  for (const { name, stream } of service.methods.values()) {
    client[name] = stream
      ? (payload) => Stream.suspend(() => Stream.ensuring(begin<AnyStream>(name, payload), Effect.sync(leave)))
      : (payload) => Effect.suspend(() => Effect.onExitPrimitive(begin<AnyEffect>(name, payload), leave))
  }
  return {
    client,
    inFlight: () => calls,
    turnTo: (client) => {
      current = client
    }
  }
}

type AnyEffect = Effect.Effect<unknown, unknown>
type AnyStream = Stream.Stream<unknown, unknown>
