/** The laws of a location, with all policies at once in front of services in this process and in threads. */
import { Residency, Traffic } from "chorale"
import { Layer } from "effect"
import { holdToLaws } from "../laws/holdToLaws.ts"
import { local, thread } from "../laws/locations.ts"
import { behind, cache, leftOut, type Put } from "./behind.ts"

/** The laws make a service fail more often than a circuit takes by default. */
const trip = 50

const all: Put = (layer, service) =>
  layer.pipe(
    Residency.idle({ timeToLive: "1 minute" }),
    Traffic.adaptiveLimit({ initial: 128, min: 64 }),
    Traffic.budget("cores"),
    Traffic.limit({ concurrency: 64, queue: 64 }),
    Traffic.circuitBreaker({ trip }),
    Traffic.rateLimit({ limit: 100_000, window: "1 second" }),
    Traffic.retry({ times: 1 }),
    Traffic.deadline("1 minute"),
    cache(service),
    Layer.provide(Traffic.layerBudget("cores", { permits: 64 }))
  )

const contradicting = { ...leftOut.deadline, ...leftOut.retry }

holdToLaws("all policies before a service in this process", behind(local, all), contradicting)
holdToLaws("all policies before a service in a thread", behind(thread, all), contradicting)
