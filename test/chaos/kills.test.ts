/** What a replica that dies under load costs: the calls that were on it, and none that are tried again. */
import { assert, describe, it } from "@effect/vitest"
import { Replicas, type ServiceError, Traffic } from "chorale"
import { Worker } from "chorale/node"
import { Effect, type Layer, Ref, Schedule } from "effect"
import { Load } from "../fixtures/load.ts"

const entry = new URL("../fixtures/load.worker.ts", import.meta.url)

// On a busy machine a replica takes longer to start than until the next one is killed: calls then wait for one.
const options = {
  replicas: 3,
  connectTimeout: "30 seconds",
  respawn: { crashLoop: { times: 100, within: "1 minute" } }
} as const

const locations: Readonly<Record<string, Layer.Layer<Load, unknown>>> = {
  threads: Replicas.layer(Load, { ...options, replica: () => Worker.layerThread(Load, { entry }) }),
  processes: Replicas.layer(Load, { ...options, replica: () => Worker.layerProcess(Load, { entry }) })
}

const inFlight = 64
const kills = 5

/** Calls from so many lanes until that many replicas were killed, one a second; gives how many succeeded. */
const underKills = Effect.fnUntraced(function*(onFailure: (error: ServiceError.ServiceError) => void) {
  const load = yield* Load
  const stopped = yield* Ref.make(false)
  const kill = load.die().pipe(
    Effect.ignore,
    Effect.repeat(Schedule.spaced("1 second").pipe(Schedule.upTo({ times: kills - 1 }))),
    Effect.andThen(Effect.sleep("1 second")),
    Effect.andThen(Ref.set(stopped, true))
  )
  let succeeded = 0
  let next = 0
  const lane = Effect.gen(function*() {
    while (!(yield* Ref.get(stopped))) {
      const value = next++
      yield* load.echo({ value }).pipe(
        Effect.match({
          onFailure,
          onSuccess: (answer) => {
            assert.strictEqual(answer, value)
            succeeded++
          }
        })
      )
    }
  })
  yield* Effect.all([kill, ...Array.from({ length: inFlight }, () => lane)], {
    concurrency: "unbounded",
    discard: true
  })
  return { succeeded, called: next }
})

describe("a replica that is killed every second, with 64 calls in flight", () => {
  for (const [where, layer] of Object.entries(locations)) {
    it.live(`fails only the calls that are on it, each with Unavailable, among ${where}`, () =>
      Effect.gen(function*() {
        const failures: Array<ServiceError.ServiceError> = []
        const { called, succeeded } = yield* underKills((error) => failures.push(error))
        assert.strictEqual(succeeded + failures.length, called)
        assert.isTrue(failures.every(({ reason, service }) => reason._tag === "Unavailable" && service === Load.key))
        // A replica has a third of the calls, or all of them while the others are started again.
        assert.isAtMost(failures.length, kills * inFlight)
        assert.isAbove(succeeded, 2 * failures.length)
      }).pipe(Effect.withTracerEnabled(false), Effect.provide(layer)))

    it.live(`fails no call that may be tried again, among ${where}`, () =>
      Effect.gen(function*() {
        const failures: Array<ServiceError.ServiceError> = []
        const { succeeded } = yield* underKills((error) => failures.push(error))
        assert.deepStrictEqual(failures, [])
        assert.isAbove(succeeded, 1000)
      }).pipe(
        Effect.withTracerEnabled(false),
        Effect.provide(
          Traffic.of(Load, layer).pipe(
            Traffic.retry({ methods: ["echo"], times: 2 * kills, budget: 1, reserve: kills * inFlight })
          )
        )
      ))
  }
})
