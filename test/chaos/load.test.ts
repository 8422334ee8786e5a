/** No call fails under load, wherever the service runs. */
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Codec, Remote, Replicas, Serve } from "chorale"
import { Http, Socket, Worker } from "chorale/node"
import { Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { Load, LoadQuiet } from "../fixtures/load.ts"

const entry = new URL("../fixtures/load.worker.ts", import.meta.url)

const unixSocket = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
    (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
  )
  const address = { path: Path.join(directory, "s") }
  yield* Layer.build(Layer.provide(Socket.layerServer([Load], address), LoadQuiet))
  return Socket.layerClient(Load, address)
}))

const tcp = Layer.unwrap(Effect.gen(function*() {
  const server = yield* Layer.build(Layer.provide(Socket.layerServer([Load], { port: 0 }), LoadQuiet))
  return Socket.layerClient(Load, Context.get(server, Socket.Server).address)
}))

const url = Effect.map(
  Layer.build(Layer.fresh(
    HttpRouter.serve(Serve.http([Load]), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(LoadQuiet),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
    )
  )),
  (server) => HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address)
)

const http = Layer.unwrap(
  Effect.map(url, (url) => Layer.provide(Remote.layerHttp(Load, { url }), NodeHttpClient.layerUndici))
)

const httpReplicas = Layer.unwrap(
  Effect.map(Effect.all([url, url, url]), (addresses) =>
    Replicas.layer(Load, {
      replicas: addresses.length,
      replica: (index) => Http.layerClient(Load, { url: addresses[index] ?? "" })
    }))
)

const locations: Readonly<Record<string, Layer.Layer<Load, unknown>>> = {
  "in this process": LoadQuiet,
  "through the codec": Codec.layer(Load, LoadQuiet),
  "in a thread": Worker.layerThread(Load, { entry }),
  "in a process": Worker.layerProcess(Load, { entry }),
  "on a unix socket": unixSocket,
  "on a TCP port": tcp,
  "over HTTP": http,
  "over HTTP, with three replicas": httpReplicas,
  "in three threads": Replicas.layer(Load, { replicas: 3, replica: () => Worker.layerThread(Load, { entry }) }),
  "in three processes": Replicas.layer(Load, { replicas: 3, replica: () => Worker.layerProcess(Load, { entry }) })
}

const calls = 20_000
const inFlight = 64

describe("20,000 calls, 64 in flight", () => {
  for (const [where, layer] of Object.entries(locations)) {
    it.live(`all succeed ${where}`, () =>
      Effect.gen(function*() {
        const load = yield* Load
        let sum = 0
        yield* Effect.forEach(
          Array.from({ length: inFlight }, (_, lane) => lane),
          Effect.fnUntraced(function*(lane) {
            for (let value = lane; value < calls; value += inFlight) {
              const answer = yield* load.echo({ value })
              assert.strictEqual(answer, value)
              sum += answer
            }
          }),
          { concurrency: "unbounded", discard: true }
        )
        assert.strictEqual(sum, calls * (calls - 1) / 2)
      }).pipe(Effect.withTracerEnabled(false), Effect.provide(layer)))
  }
})
