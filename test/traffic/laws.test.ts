/** The laws of a location, with policies in front of services here and over a unix socket. */
import { type Model, Residency, Traffic } from "chorale"
import type { Laws } from "chorale/testing"
import { Effect, Layer } from "effect"
import type { Rpc } from "effect/rpc"
import { holdToLaws } from "../laws/holdToLaws.ts"
import { local, type Location, unixSocket } from "../laws/locations.ts"

type Put = <Self>(layer: Model.ServiceLayer<Self, never, never>) => Layer.Layer<Self>

/** A deadline is left out: it is what a handler must not see where its caller has none. */
const stacks: ReadonlyArray<[name: string, put: Put]> = [
  [
    "limit, circuit breaker, rate limit and retry",
    (layer) =>
      layer.pipe(
        Traffic.limit({ concurrency: 256, queue: 64 }),
        Traffic.circuitBreaker({ trip: 1000 }),
        Traffic.rateLimit({ limit: 100_000, window: "1 second" }),
        Traffic.retry({ times: 0 })
      )
  ],
  [
    "budget",
    (layer) => layer.pipe(Traffic.budget("cores"), Layer.provide(Traffic.layerBudget("cores", { permits: 256 })))
  ],
  [
    "idle release and adaptive limit",
    (layer) =>
      layer.pipe(
        Residency.idle({ timeToLive: "1 minute" }),
        Traffic.adaptiveLimit({ initial: 256, min: 128 })
      )
  ]
]

const behind = (location: Location, put: Put): Location =>
  Effect.map(location, (place) => {
    const connect: Laws.Connect = <Self, Name extends string, Rpcs extends Rpc.Any>(
      service: Model.ServiceClass<Self, Name, Rpcs>
    ) => put(Traffic.of(service, Layer.orDie(place.connect(service))))
    return { ...place, connect }
  })

for (const [name, put] of stacks) {
  holdToLaws(`${name} before a service in this process`, behind(local, put))
  holdToLaws(`${name} before a service over a unix socket`, behind(unixSocket, put))
}
