import { assert, describe, it } from "@effect/vitest"
import { ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import * as Net from "node:net"
import * as Frames from "../../src/internal/frames.ts"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"
import { random } from "../fixtures/random.ts"

const mebibyte = 1024 * 1024

const hello = Frames.encode([{ _tag: "Hello", protocol: "chorale/2", maxFrameSize: mebibyte }])

const request = (fields: object) =>
  Frames.encode([{ _tag: "Request", id: 1, tag: "test/Echo/greet", payload: { name: "x" }, headers: [], ...fields }])

const claim = (length: number) => {
  const frame = new Uint8Array(4)
  new DataView(frame.buffer).setUint32(0, length, true)
  return frame
}

/** A connection that says what it is told to. */
const connect = (address: Socket.Address) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly send: (bytes: Uint8Array) => Effect.Effect<void>
      readonly closed: Effect.Effect<void>
      readonly hangUp: () => void
    }>((resume) => {
      const socket = "path" in address ? Net.connect(address.path) : Net.connect(address.port, "127.0.0.1")
      const closed = Deferred.makeUnsafe<void>()
      socket.on("error", () => undefined)
      socket.on("data", () => undefined)
      socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
      socket.on("connect", () =>
        resume(Effect.succeed({
          send: (bytes) => Effect.callback((resume) => void socket.write(bytes, () => resume(Effect.void))),
          closed: Deferred.await(closed),
          hangUp: () => socket.destroy()
        })))
    }),
    ({ hangUp }) => Effect.sync(hangUp)
  )

/** A server with one client that has a call on it, which must not notice what others do. */
const withServer = <A, E, R>(
  use: (address: Socket.Address, greet: Effect.Effect<void>) => Effect.Effect<A, E, R>,
  options: Socket.ServerOptions = { maxFrameSize: mebibyte }
) =>
  Effect.gen(function*() {
    const waiting = yield* makeWaiting
    const context = yield* Layer.build(
      Layer.provide(Socket.layerServer([Echo], { port: 0 }, options), echoLive(waiting))
    )
    const { address } = Context.get(context, Socket.Server)
    yield* Effect.gen(function*() {
      const echo = yield* Echo
      const other = yield* Effect.forkChild(echo.wait())
      yield* Deferred.await(waiting.started)
      const greet = Effect.map(Effect.orDie(echo.greet({ name: "x" })), (greeting) => {
        assert.strictEqual(greeting, "hello x")
      })
      yield* use(address, greet)
      yield* greet
      assert.isUndefined(other.pollUnsafe())
      yield* Fiber.interrupt(other)
    }).pipe(Effect.provide(Socket.layerClient(Echo, address)))
  })

/** A server that says what it is told to. */
const answering = (reply: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Net.Server; readonly address: Socket.Address }>((resume) => {
      const server = Net.createServer((socket) => {
        socket.on("error", () => undefined)
        reply(socket)
      }).listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({
          server,
          address: { port: typeof address === "object" && address !== null ? address.port : 0 }
        }))
      })
    }),
    ({ server }) => Effect.sync(() => server.close())
  )

describe("Socket.layerServer", () => {
  it.live("hangs up on whoever does not speak its protocol, and on nobody else", () =>
    withServer(Effect.fnUntraced(function*(address) {
      const http = new TextEncoder().encode("POST /rpc HTTP/1.1\r\nhost: x\r\n\r\n")
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<Uint8Array>]> = [
        ["another protocol", [http]],
        ["a length of nothing", [claim(0)]],
        ["a first message that is large", [claim(mebibyte)]],
        ["a call before hello", [request({})]],
        ["a frame over the limit", [hello, claim(mebibyte + 1)]],
        ["a frame of 4 GiB", [hello, claim(0xffff_ffff)]],
        ["a frame that is malformed", [hello, claim(16), new Uint8Array(12)]],
        ["a frame without a message", [hello, Frames.encode([null])]],
        ["a second hello of nothing", [hello, Frames.encode([{}])]],
        ["headers that are none", [hello, request({ headers: 7 })]],
        ["a call that ends before it began", [hello, Frames.encode([{ _tag: "Eof" }])]]
      ]
      for (const [name, parts] of cases) {
        const connection = yield* connect(address)
        for (const part of parts) yield* connection.send(part)
        yield* Effect.timeout(connection.closed, "5 seconds").pipe(
          Effect.catch(() => Effect.sync(() => assert.fail(`${name} was not hung up on`)))
        )
      }
    })))

  it.live("hangs up on who stays silent before hello or within a message", () =>
    withServer(
      Effect.fnUntraced(function*(address) {
        for (const parts of [[], [hello.subarray(0, 7)], [hello, request({}).subarray(0, 40)]]) {
          const connection = yield* connect(address)
          for (const part of parts) yield* connection.send(part)
          yield* Effect.timeout(connection.closed, "5 seconds")
        }
      }),
      { frameTimeout: "20 millis" }
    ))

  it.live("survives half a message and a connection cut within it", () =>
    withServer(Effect.fnUntraced(function*(address, greet) {
      for (let length = 1; length < 60; length += 7) {
        const connection = yield* connect(address)
        yield* connection.send(hello)
        yield* connection.send(request({}).subarray(0, length))
        connection.hangUp()
        yield* connection.closed
        yield* greet
      }
    })))

  it.live("sets no memory aside for what a message only claims to hold", () =>
    withServer(
      Effect.fnUntraced(function*(address, greet) {
        const before = process.memoryUsage().arrayBuffers
        for (let index = 0; index < 50; index++) {
          const connection = yield* connect(address)
          yield* connection.send(hello)
          yield* connection.send(claim(1024 * mebibyte))
        }
        yield* greet
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 1024 * mebibyte)
      }),
      { maxFrameSize: "1 GiB" }
    ))

  it.live("takes no more connections than it may", () =>
    withServer(
      Effect.fnUntraced(function*(address) {
        yield* connect(address)
        const beyond = yield* connect(address)
        yield* Effect.timeout(beyond.closed, "5 seconds")
      }),
      { maxConnections: 2 }
    ))

  it.live("takes 2,000 damaged and random messages without harm to a client that has calls on it", () =>
    withServer(Effect.fnUntraced(function*(address, greet) {
      const next = random(1)
      const whole = [
        request({}),
        request({ tag: "test/Echo/bytes", payload: { body: Uint8Array.of(1, 2, 3) } }),
        request({ tag: "test/Echo/count", payload: { to: 3 } }),
        Frames.encode([{ _tag: "Ack", requestId: 1 }]),
        Frames.encode([{ _tag: "Interrupt", requestId: 1 }])
      ]
      const damaged = () => {
        if (next() < 0.1) return Uint8Array.from({ length: 64 }, () => Math.floor(next() * 256))
        const frame = whole[Math.floor(next() * whole.length)]!.slice()
        for (let changes = Math.ceil(next() * 4); changes > 0; changes--) {
          frame[Math.floor(next() * frame.byteLength)] = Math.floor(next() * 256)
        }
        return next() < 0.1 ? frame.subarray(0, Math.floor(next() * frame.byteLength)) : frame
      }
      for (let round = 0; round < 20; round++) {
        yield* Effect.forEach(
          Array.from({ length: 100 }, damaged),
          (frame) =>
            Effect.scoped(Effect.gen(function*() {
              const connection = yield* connect(address)
              yield* connection.send(Buffer.concat([hello, frame]))
            })),
          { concurrency: 10 }
        )
        yield* greet
      }
    })))
})

describe("Socket.layerClient", () => {
  const reasonFrom = (address: Socket.Address) =>
    Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" }))).pipe(
      Effect.map((error) => error instanceof ServiceError.ServiceError ? error.reason._tag : undefined),
      Effect.provide(Socket.layerClient(Echo, address, { connectTimeout: "100 millis" })),
      Effect.timeout("5 seconds")
    )

  it.live("says that what answers is not the service", () =>
    Effect.gen(function*() {
      const { address } = yield* answering((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"))
      assert.strictEqual(yield* reasonFrom(address), "ContractMismatch")
      const { address: later } = yield* answering((socket) => {
        socket.write(hello)
        socket.on("data", () => socket.write(claim(0xffff_ffff)))
      })
      assert.strictEqual(yield* reasonFrom(later), "ContractMismatch")
    }))

  it.live("is Unavailable where a server hangs up, or never says hello", () =>
    Effect.gen(function*() {
      const { address: rude } = yield* answering((socket) => socket.destroy())
      assert.strictEqual(yield* reasonFrom(rude), "Unavailable")
      const { address: silent } = yield* answering(() => undefined)
      assert.strictEqual(yield* reasonFrom(silent), "Unavailable")
      const { address: later } = yield* answering((socket) => {
        socket.write(hello)
        socket.on("data", (chunk) => chunk.includes(Echo.key) && socket.end())
      })
      assert.strictEqual(yield* reasonFrom(later), "Unavailable")
    }))
})
