/** A server that is gone without a word is noticed while calls wait, and one that is only slow is waited for. */
import { assert, describe, it } from "@effect/vitest"
import { ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { Deferred, Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Net from "node:net"
import * as Frames from "../../src/internal/frames.ts"
import type { Connection } from "../../src/node/socket/connection.ts"
import * as Heartbeat from "../../src/node/socket/heartbeat.ts"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** A connection of which only signs of life are looked at. */
class Line {
  bytes = 0
  pings = 0
  isAwaiting = true
  error: Error | undefined
  onPing: () => void = () => undefined
  onRead: () => void = () => undefined

  readonly connection: Connection = {
    isOpen: () => true,
    send: () => undefined,
    receive: () => undefined,
    sayClosing: () => undefined,
    end: () => undefined,
    isStalled: () => false,
    received: () => {
      const { bytes } = this
      this.onRead()
      return bytes
    },
    ping: () => {
      this.pings++
      this.onPing()
    },
    fail: (error) => {
      this.error ??= error
    }
  }

  readonly watch = Effect.forkChild(
    Heartbeat.watch(this.connection, { interval: Duration.seconds(1), isAwaiting: () => this.isAwaiting }),
    { startImmediately: true }
  )
}

describe("a heartbeat", () => {
  it.effect("gives up on who sends nothing for an interval, and nothing more after a ping", () =>
    Effect.gen(function*() {
      const line = new Line()
      yield* line.watch
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(line.pings, 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(line.pings, 1)
      yield* TestClock.adjust("999 millis")
      yield* turn
      assert.isUndefined(line.error)
      yield* TestClock.adjust("1 millis")
      yield* turn
      assert.include(String(line.error), "no sign of life")
    }))

  it.effect("goes on with who answers pings, or sends anything else", () =>
    Effect.gen(function*() {
      const line = new Line()
      line.onPing = () => void line.bytes++
      yield* line.watch
      for (let beat = 0; beat < 20; beat++) {
        if (beat > 10) line.bytes++
        yield* TestClock.adjust("1 second")
        yield* turn
      }
      assert.isUndefined(line.error)
      assert.strictEqual(line.pings, 6)
    }))

  it.effect("asks for nothing where no call waits", () =>
    Effect.gen(function*() {
      const line = new Line()
      line.isAwaiting = false
      yield* line.watch
      for (let beat = 0; beat < 5; beat++) yield* TestClock.adjust("1 second")
      yield* turn
      assert.strictEqual(line.pings, 0)
      assert.isUndefined(line.error)
    }))

  it.effect("looks once more at what has come while this process was held up", () =>
    Effect.gen(function*() {
      const line = new Line()
      yield* line.watch
      yield* TestClock.adjust("1 second")
      assert.strictEqual(line.pings, 1)
      line.onRead = () =>
        void setImmediate(() => {
          line.bytes = 1
        })
      yield* TestClock.adjust("1 second")
      yield* turn
      assert.isUndefined(line.error)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(line.pings, 2)
    }))
})

describe("Socket.layerClient", () => {
  it.live("is Unavailable where a server that took a call sends nothing any more", () =>
    Effect.gen(function*() {
      const hello = Frames.encode([{ _tag: "Hello", protocol: "chorale/2", maxFrameSize: 1024 * 1024 }])
      const server = yield* Effect.acquireRelease(
        Effect.callback<Net.Server>((resume) => {
          const server = Net.createServer((socket) => {
            socket.on("error", () => undefined)
            socket.on("data", () => undefined)
            socket.write(hello)
          }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const bound = server.address()
      const port = typeof bound === "object" && bound !== null ? bound.port : 0
      const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.wait())).pipe(
        Effect.provide(Socket.layerClient(Echo, { port }, { heartbeat: "20 millis" })),
        Effect.timeout("5 seconds")
      )
      assert.instanceOf(error, ServiceError.ServiceError)
      assert(error.reason._tag === "Unavailable")
      assert.include(error.reason.detail, "no sign of life")
    }))

  it.live("waits for a call that runs longer than many heartbeats", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const server = Layer.provide(Socket.layerServer([Echo], { port: 0 }, { drainTimeout: 0 }), echoLive(waiting))
      const { address } = yield* Effect.flatMap(
        Layer.build(server),
        (context) => Effect.provide(Socket.Server, context)
      )
      yield* Effect.gen(function*() {
        const echo = yield* Echo
        const call = yield* Effect.forkChild(echo.wait())
        yield* Deferred.await(waiting.started)
        yield* Effect.sleep("300 millis")
        assert.isUndefined(call.pollUnsafe())
        yield* Fiber.interrupt(call)
      }).pipe(Effect.provide(Socket.layerClient(Echo, address, { heartbeat: "20 millis" })))
    }).pipe(Effect.timeout("5 seconds")))
})
