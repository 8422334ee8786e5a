/** Locations with policies in front of their services, and the laws that contradict what a policy is for. */
import { type Model, Traffic } from "chorale"
import type { Laws } from "chorale/testing"
import { Effect, Layer } from "effect"
import type { Rpc } from "effect/rpc"
import type { Location } from "../laws/locations.ts"

/** Puts policies around the layer of any service. */
export type Put = <Self, Name extends string, Rpcs extends Rpc.Any>(
  layer: Model.ServiceLayer<Self, never, never>,
  service: Model.ServiceClass<Self, Name, Rpcs>
) => Layer.Layer<Self>

/** The same location, called through policies. */
export const behind = (location: Location, put: Put): Location =>
  Effect.map(location, (place) => {
    const behindPolicy = (connect: Laws.Connect): Laws.Connect => (service) =>
      put(Traffic.of(service, Layer.orDie(connect(service))), service)
    return {
      ...place,
      connect: behindPolicy(place.connect),
      ...(place.refusing === undefined ? {} : { refusing: behindPolicy(place.refusing) })
    }
  })

/** What a probe answers by more than the payload. */
const volatile = new Set(["observe", "turn", "hold", "remaining", "span", "crash"])

/** A cache for all methods of whatever version of a service. */
export const cache = (service: Model.Any): Traffic.Policy<never> => {
  const methods = [...service.methods.values()].filter(({ name, stream }) => !stream && !volatile.has(name))
  // The methods are those of the service, whatever it is.
  return Traffic.cache({
    methods: methods.map(({ name }) => name),
    capacity: "64 MiB",
    timeToLive: "1 minute"
  }) as Traffic.EffectPolicy<never> as Traffic.Policy<never>
}

/** Why a law is not asked of a location behind a policy. */
export const leftOut = {
  deadline: {
    "a handler sees what is left of the deadline of its caller": "it is to have one where its caller has none"
  },
  retry: {
    "a call over the limit is Overloaded at once, with retryAfter, and those within it go on":
      "a call that is refused is made again after that time"
  }
}
