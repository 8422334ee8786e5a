/** Each policy in front of a service here and elsewhere: what a caller can rely on stays as it is without it. */
import { assert, describe, it } from "@effect/vitest"
import { Deadline, type Model, Residency, Traffic } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Echo, echoLive, makeWaiting, type Waiting } from "../fixtures/echo.ts"
import { keepsItsPromises } from "../fixtures/promises.ts"
import { makeWork, tagOf, Work } from "./work.ts"

type EchoLayer = Model.ServiceLayer<Echo, never, never>

const policies: ReadonlyArray<[name: string, put: (layer: EchoLayer) => Layer.Layer<Echo>]> = [
  ["limit", (layer) => layer.pipe(Traffic.limit({ concurrency: 16 }))],
  ["adaptiveLimit", (layer) => layer.pipe(Traffic.adaptiveLimit({ initial: 16 }))],
  [
    "budget",
    (layer) => layer.pipe(Traffic.budget("cores"), Layer.provide(Traffic.layerBudget("cores", { permits: 16 })))
  ],
  ["deadline", (layer) => layer.pipe(Traffic.deadline("1 minute"))],
  ["retry", (layer) => layer.pipe(Traffic.retry({ times: 0 }))],
  ["circuitBreaker", (layer) => layer.pipe(Traffic.circuitBreaker())],
  ["rateLimit", (layer) => layer.pipe(Traffic.rateLimit({ limit: 1000, window: "1 second" }))],
  [
    "cache",
    (layer) =>
      layer.pipe(Traffic.cache({ methods: ["tensor", "greet", "refuse"], capacity: "1 MiB", timeToLive: 1000 }))
  ],
  ["idle", (layer) => layer.pipe(Residency.idle({ timeToLive: "1 minute" }))],
  [
    "all of them",
    (layer) =>
      layer.pipe(
        Residency.idle({ timeToLive: "1 minute" }),
        Traffic.adaptiveLimit({ initial: 16, queue: 16 }),
        Traffic.circuitBreaker(),
        Traffic.rateLimit({ limit: 1000, window: "1 second" }),
        Traffic.retry({ times: 0 }),
        Traffic.deadline("1 minute"),
        Traffic.cache({ methods: ["tensor", "greet"], capacity: "1 MiB", timeToLive: 1000 })
      )
  ]
]

const socket = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
).pipe(Effect.map((directory): Socket.Address => ({ path: Path.join(directory, "traffic.sock") })))

const locations: ReadonlyArray<[name: string, at: (waiting: Waiting) => Layer.Layer<Echo, unknown>]> = [
  ["in this process", echoLive],
  [
    "over a unix socket",
    (waiting) =>
      Layer.unwrap(Effect.gen(function*() {
        const address = yield* socket
        yield* Layer.build(Layer.provide(Socket.layerServer([Echo], address), echoLive(waiting)))
        return Socket.layerClient(Echo, address)
      }))
  ]
]

for (const [where, at] of locations) {
  for (const [name, put] of policies) {
    describe(`Traffic ${name} before a service ${where}`, () => {
      keepsItsPromises((use) =>
        Effect.gen(function*() {
          const waiting = yield* makeWaiting
          // What cannot be reached is a defect here, so that the layer is like that of `toLayer`.
          const layer = Traffic.of(Echo, Layer.orDie(at(waiting)))
          yield* Effect.flatMap(Echo, (echo) => use(echo, waiting)).pipe(Effect.provide(put(layer)))
        })
      )
    })
  }
}

describe("a limit behind a hop", () => {
  it.live("refuses and expires the calls of a remote caller as those of a local one", () =>
    Effect.gen(function*() {
      const address = yield* socket
      const begun = yield* Deferred.make<void>()
      const { layer } = makeWork(() => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
      const limited = layer.pipe(Traffic.limit({ concurrency: 1, queue: 1, methods: ["run"] }))
      yield* Layer.build(Layer.provide(Socket.layerServer([Work], address), limited))
      const work = Context.get(yield* Layer.build(Socket.layerClient(Work, address)), Work)
      const first = yield* Effect.forkChild(work.run({ id: 1, millis: 0 }))
      yield* Deferred.await(begun)
      const waiting = yield* Effect.forkChild(
        Effect.flip(Deadline.within(work.run({ id: 2, millis: 0 }), "100 millis")),
        { startImmediately: true }
      )
      const refused = yield* Effect.flip(work.run({ id: 3, millis: 0 }))
      assert.strictEqual(tagOf(refused), "Overloaded")
      assert.strictEqual(tagOf(yield* Fiber.join(waiting)), "DeadlineExceeded")
      yield* Fiber.interrupt(first)
    }))
})
