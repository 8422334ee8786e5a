/** The laws of a location, with each policy in front of services over a unix socket. */
import { Residency, Traffic } from "chorale"
import { Effect, Layer, Schedule } from "effect"
import { holdToLaws } from "../laws/holdToLaws.ts"
import { unixSocket } from "../laws/locations.ts"
import { behind, cache, leftOut, type Put } from "./behind.ts"

const policies: ReadonlyArray<[name: string, put: Put, leftOut?: Readonly<Record<string, string>>]> = [
  ["limit", (layer) => layer.pipe(Traffic.limit({ concurrency: 64, queue: 64 }))],
  ["adaptiveLimit", (layer) => layer.pipe(Traffic.adaptiveLimit({ initial: 128, min: 64 }))],
  [
    "budget",
    (layer) => layer.pipe(Traffic.budget("cores"), Layer.provide(Traffic.layerBudget("cores", { permits: 64 })))
  ],
  ["deadline", (layer) => layer.pipe(Traffic.deadline("1 minute")), leftOut.deadline],
  ["retry", (layer) => layer.pipe(Traffic.retry({ times: 1 })), leftOut.retry],
  ["circuitBreaker", (layer) => layer.pipe(Traffic.circuitBreaker())],
  ["cache", (layer, service) => layer.pipe(cache(service))],
  ["rateLimit", (layer) => layer.pipe(Traffic.rateLimit({ limit: 100_000, window: "1 second" }))],
  ["idle release", (layer) => layer.pipe(Residency.idle({ timeToLive: 50 }))],
  [
    "many models, the one in use swapped ten times a second,",
    (layer, service) =>
      Residency.reload(service, "used").pipe(
        Effect.repeat(Schedule.spaced(100)),
        Effect.orDie,
        Effect.forkScoped,
        Layer.effectDiscard,
        Layer.provideMerge(Residency.keyed(service, {
          key: () => "used",
          lookup: () => Layer.fresh(layer),
          memory: () => 1,
          capacity: 1000
        }))
      )
  ]
]

for (const [name, put, left] of policies) {
  holdToLaws(`${name} before a service over a unix socket`, behind(unixSocket, put), left)
}
