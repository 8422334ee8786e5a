/** Whatever bytes arrive, only who sent them is refused: nothing breaks, grows or is changed for anybody else. */
import { assert, describe, it } from "@effect/vitest"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Fiber, Layer, References } from "effect"
import * as Net from "node:net"
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import * as Frames from "../../src/internal/frames.ts"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"
import * as HostileFrames from "../fixtures/hostileFrames.ts"

V8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = Vm.runInNewContext("gc")

const mebibyte = 1024 * 1024

const methods = ["tensor", "integers", "bytes", "greet", "refuse", "shed", "crash", "wait", "count"]
  .map((name) => `${Echo.key}/${name}`)

/** What every object in this process inherits, which no message may add to. */
const inherited = () => [Object.prototype, Array.prototype, Function.prototype].map((proto) => Reflect.ownKeys(proto))

/** What must not happen anywhere in this process while an effect runs. */
const withoutDamage = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const before = inherited()
  const damage: Array<unknown> = []
  const note = (what: unknown) => void damage.push(what)
  const events = ["unhandledRejection", "uncaughtException", "warning"]
  yield* Effect.acquireRelease(
    Effect.sync(() => events.forEach((event) => process.on(event, note))),
    () => Effect.sync(() => events.forEach((event) => process.off(event, note)))
  )
  const result = yield* effect
  assert.deepStrictEqual(damage, [])
  assert.deepStrictEqual(inherited(), before)
  return result
})

/** The memory in use, in MiB. */
const used = () => {
  collectGarbage()
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return (heapUsed + Math.max(external, arrayBuffers)) / mebibyte
}

describe("100,000 hostile frames", () => {
  it.effect("are each a message or a FrameError to Frames.decode", () =>
    withoutDamage(Effect.sync(() => {
      const { malformed, next, wellFormed } = HostileFrames.make(1, methods)
      const outcomes = { messages: 0, refused: 0 }
      for (let index = 0; index < 100_000; index++) {
        const bytes = next() < 0.2 ? wellFormed() : malformed()
        if (bytes.byteLength < Frames.fixed) continue
        try {
          Frames.decode(bytes)
          outcomes.messages++
        } catch (error) {
          if (!(error instanceof Frames.FrameError)) throw error
          outcomes.refused++
        }
      }
      // Both kinds are there in numbers, so that neither side of the reader is left out.
      assert.isAbove(outcomes.messages, 20_000)
      assert.isAbove(outcomes.refused, 40_000)
    })))

  it.live("touch nobody but their senders on a socket", () =>
    withoutDamage(Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const live = Layer.provide(echoLive(waiting), quiet)
      const server = yield* Layer.build(
        Layer.provide(Socket.layerServer([Echo], { port: 0 }, { maxFrameSize: mebibyte, drainTimeout: 0 }), [
          live,
          quiet
        ])
      )
      const { address } = Context.get(server, Socket.Server)
      yield* Effect.gen(function*() {
        const echo = yield* Echo
        const held = yield* Effect.forkChild(echo.wait())
        yield* Deferred.await(waiting.started)
        let answered = 0
        const greet = Effect.map(echo.greet({ name: "x" }), (greeting) => {
          assert.strictEqual(greeting, "hello x")
          answered++
        })
        const greeting = yield* Effect.forkChild(Effect.forever(greet))
        const frames = HostileFrames.make(2, methods)
        const before = used()
        let sent = 0
        let highest = 0
        for (let round = 0; sent < 100_000; round++) {
          sent += yield* attack(address, frames)
          if (round % 20 === 0) highest = Math.max(highest, used())
        }
        assert.isBelow(highest - before, 256)
        assert.isBelow(used() - before, 32)
        assert.isAbove(answered, 1000)
        assert.isUndefined(greeting.pollUnsafe())
        assert.isUndefined(held.pollUnsafe())
        yield* greet
        yield* Fiber.interruptAll([held, greeting])
      }).pipe(Effect.provide(Socket.layerClient(Echo, address)), Effect.withTracerEnabled(false))
    })))
})

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

const hello = Frames.encode([{ _tag: "Hello", protocol: "chorale/2", maxFrameSize: mebibyte }])

/** Several connections at once, each with some frames, whole or cut, of which the last is malformed; how many. */
const attack = (address: Socket.Address, frames: HostileFrames.HostileFrames) =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: 16 }, () => {
        const whole = Array.from({ length: Math.floor(60 * frames.next()) }, frames.wellFormed)
        return [...whole, frames.malformed()]
      }),
      (sent) => Effect.as(send(address, Buffer.concat([hello, ...sent]), frames.next()), sent.length),
      { concurrency: "unbounded" }
    ),
    (counts) => counts.reduce((sum, count) => sum + count, 0)
  )

/** Writes bytes in two pieces, and waits until the server has hung up or nothing more comes. */
const send = (address: Socket.Address, bytes: Uint8Array, cut: number) =>
  Effect.callback<void>((resume) => {
    const socket = Net.connect("path" in address ? { path: address.path } : { port: address.port, host: "127.0.0.1" })
    const middle = Math.floor(cut * bytes.byteLength)
    socket.on("error", () => undefined)
    socket.on("data", () => undefined)
    socket.on("close", () => resume(Effect.void))
    socket.write(bytes.subarray(0, middle), () => socket.end(bytes.subarray(middle)))
  })

describe("1,000 connections that say nothing", () => {
  it.live("are refused or given up, while those who speak are served", () =>
    Effect.gen(function*() {
      const options = { maxConnections: 500, frameTimeout: "100 millis", drainTimeout: 0 } as const
      const server = yield* Layer.build(
        Layer.provide(Socket.layerServer([Echo], { port: 0 }, options), [echoLive(yield* makeWaiting), quiet])
      )
      const { address } = Context.get(server, Socket.Server)
      const greet = Effect.flatMap(Echo, (echo) => echo.greet({ name: "x" }))
      const client = yield* Layer.build(Socket.layerClient(Echo, address))
      assert.strictEqual(yield* Effect.provide(greet, client), "hello x")
      const closed = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 1000 }), () => silence(address), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      for (let call = 0; call < 100; call++) assert.strictEqual(yield* Effect.provide(greet, client), "hello x")
      yield* Fiber.join(closed)
      const later = greet.pipe(Effect.provide(Socket.layerClient(Echo, address)))
      assert.strictEqual(yield* later, "hello x")
    }).pipe(Effect.timeout("10 seconds")))
})

/** A connection that is left open until the server has enough of it. */
const silence = (address: Socket.Address) =>
  Effect.callback<void>((resume) => {
    const socket = Net.connect("path" in address ? { path: address.path } : { port: address.port, host: "127.0.0.1" })
    socket.on("error", () => undefined)
    socket.on("data", () => undefined)
    socket.on("close", () => resume(Effect.void))
    return Effect.sync(() => socket.destroy())
  })
