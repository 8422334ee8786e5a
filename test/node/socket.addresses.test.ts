/** Addresses where no server can listen, and those where none can be reached. */
import { assert, describe, it } from "@effect/vitest"
import { ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { Effect, Layer } from "effect"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { Worker } from "node:worker_threads"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"

const nobody = 65_534

/** Runs as a user who may not do what root may. */
const asNobody = Effect.acquireRelease(
  Effect.sync(() => {
    if (process.getuid?.() === 0) process.seteuid?.(nobody)
  }),
  () => Effect.sync(() => process.getuid?.() === 0 && process.seteuid?.(0))
)

/** A directory in which its own user may do no more than the mode says. */
const directory = (mode: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))
      if (process.getuid?.() === 0) Fs.chownSync(path, nobody, nobody)
      Fs.chmodSync(path, mode)
      return path
    }),
    (path) =>
      Effect.sync(() => {
        Fs.chmodSync(path, 0o700)
        Fs.rmSync(path, { recursive: true })
      })
  )

describe("Socket.layerServer", () => {
  for (
    const [what, mode, names] of [
      ["write", 0o500, ["s"]],
      ["look", 0o200, ["s"]],
      ["make a directory", 0o500, ["new", "s"]]
    ] as const
  ) {
    it.live(`is PermissionDenied in a directory where its user may not ${what}`, () =>
      Effect.gen(function*() {
        const path = Path.join(yield* directory(mode), ...names)
        yield* asNobody
        const server = Layer.provide(Socket.layerServer([Echo], { path }), echoLive(yield* makeWaiting))
        const error = yield* Effect.flip(Layer.build(server))
        assert.instanceOf(error, Socket.ListenError)
        assert.strictEqual(error.reason, "PermissionDenied")
        assert.strictEqual(error.address, path)
      }))
  }
})

/** A port whose connections nobody takes: its queue of them is full, so that a further attempt is not answered. */
const blackHole = Effect.gen(function*() {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(sleepingServer, { eval: true })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const [port] = yield* Effect.promise(() => once(worker, "message"))
  yield* Effect.forEach(Array.from({ length: 8 }), () =>
    Effect.acquireRelease(
      Effect.sync(() => Net.connect({ port, host: "127.0.0.1" }).on("error", () => undefined)),
      (socket) => Effect.sync(() => socket.destroy())
    ))
  return port
})

const sleepingServer = `
  const { parentPort } = require("node:worker_threads")
  const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000))
  })
`

describe("Socket.layerClient", () => {
  for (const connectTimeout of ["100 millis", "400 millis"] as const) {
    it.live(`is Unavailable after ${connectTimeout} where nothing answers an attempt to connect`, () =>
      Effect.gen(function*() {
        const port = yield* blackHole
        const start = performance.now()
        const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" }))).pipe(
          Effect.provide(Socket.layerClient(Echo, { port }, { connectTimeout })),
          Effect.timeout("5 seconds")
        )
        assert.isBelow(performance.now() - start, 2000)
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.strictEqual(error.reason._tag, "Unavailable")
      }))
  }
})
