/** What calls leave behind when they are over: nothing. `npm run soak` looks at memory too, over 200,000 of them. */
import { assert, describe, it } from "@effect/vitest"
import { Socket } from "chorale/node"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { locations } from "../../soak/locations.ts"
import { Soak, SoakLive } from "../../soak/service.ts"
import * as Traffic from "../../soak/traffic.ts"
import { ReplicaLoad } from "../../src/internal/replicaLoad.ts"

/** What keeps this process busy, by kind; timers come and go. */
const resources = () => process.getActiveResourcesInfo().filter((name) => name !== "Timeout").toSorted()

const turn = Effect.callback<void>((resume) => void setTimeout(() => resume(Effect.void), 5))

/** The warnings of this process, such as that an emitter has too many listeners. */
const warnings = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const seen: Array<string> = []
      const note = ({ message }: Error) => void seen.push(message)
      process.on("warning", note)
      return { seen, note }
    }),
    ({ note }) => Effect.sync(() => process.off("warning", note))
  ),
  ({ seen }) => seen
)

const large = Array.from({ length: 64 }, (_, index) => 200 * index + 101)

describe("1,500 calls of every kind, and 64 with 600 KB in flight", () => {
  for (const [where, layer] of Object.entries(locations)) {
    it.live(`leave no handle open and warn of nothing: ${where}`, () =>
      Effect.gen(function*() {
        const before = resources()
        const warned = yield* warnings
        yield* Effect.gen(function*() {
          const soak = yield* Soak
          yield* Traffic.run(soak, 0, 100, 32)
          const open = resources()
          yield* Traffic.run(soak, 100, 1500, 32)
          yield* Effect.forEach(large, (index) => Traffic.call(soak, index), { concurrency: "unbounded" })
          yield* Effect.repeat(turn, { until: () => resources().length <= open.length })
        }).pipe(Effect.provide(layer), Effect.withTracerEnabled(false))
        yield* Effect.repeat(turn, { until: () => resources().length <= before.length })
        assert.deepStrictEqual(resources(), before)
        assert.deepStrictEqual(warned, [])
      }))
  }
})

describe("the two ends of a socket", () => {
  it.live("remember no call that is over", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      // A server that remembered calls would be full of them, and one whose client did would wait for it to leave.
      const options = { maxCalls: 128, drainTimeout: "1 minute" } as const
      const server = yield* Layer.build(Layer.provide(Socket.layerServer([Soak], { port: 0 }, options), SoakLive)).pipe(
        Scope.provide(scope)
      )
      const load = { abandoned: 0, onFreed: () => undefined }
      const client = yield* Layer.build(Socket.layerClient(Soak, Context.get(server, Socket.Server).address)).pipe(
        Effect.provideService(ReplicaLoad, load)
      )
      yield* Effect.withTracerEnabled(Traffic.run(Context.get(client, Soak), 0, 3000, 32), false)
      yield* Effect.repeat(turn, { until: () => load.abandoned === 0 })
      yield* Scope.close(scope, Exit.void)
    }))
})
