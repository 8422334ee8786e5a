import { assert, describe, it } from "@effect/vitest"
import { Ensemble } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { at, Echo, echoLive, makeWaiting, Refused } from "../fixtures/echo.ts"

/** A service behind a unix socket, and what its handler of `wait` has seen. */
const remote = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
    (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
  )
  const waiting = yield* makeWaiting
  const address = { path: Path.join(directory, "echo.sock") }
  yield* Layer.build(Layer.provide(Socket.layerServer([Echo], address), echoLive(waiting)))
  const echo = Context.get(yield* Layer.build(Socket.layerClient(Echo, address)), Echo)
  /** A call that answers when the handler of `wait` runs, so that the handler is sure to be the one that loses. */
  const greetLate = Effect.andThen(Deferred.await(waiting.started), echo.greet({ name: "x" }))
  const refuseLate = Effect.andThen(Deferred.await(waiting.started), echo.refuse({ reason: "no", at }))
  return { echo, waiting, greetLate, refuseLate }
})

describe("an ensemble of calls of a service in another place", () => {
  it.live("interrupts the loser there: first", () =>
    Effect.gen(function*() {
      const { echo, greetLate, waiting } = yield* remote
      assert.strictEqual(yield* Ensemble.first({ slow: echo.wait(), fast: greetLate }), "hello x")
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("interrupts the rest there: all", () =>
    Effect.gen(function*() {
      const { echo, refuseLate, waiting } = yield* remote
      assert.instanceOf(yield* Effect.flip(Ensemble.all({ slow: echo.wait(), refuse: refuseLate })), Refused)
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("interrupts what it no longer needs there: quorum", () =>
    Effect.gen(function*() {
      const { echo, greetLate, waiting } = yield* remote
      const agreed = yield* Ensemble.quorum({ slow: echo.wait(), a: greetLate, b: greetLate }, { count: 2 })
      assert.deepStrictEqual(agreed, { value: "hello x", members: ["a", "b"] })
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("interrupts the slow attempt there: hedge", () =>
    Effect.gen(function*() {
      const { echo, greetLate, waiting } = yield* remote
      let attempts = 0
      const call = Effect.suspend((): typeof greetLate =>
        attempts++ === 0 ? Effect.as(echo.wait(), "too late") : greetLate
      )
      assert.strictEqual(yield* Ensemble.hedge(call, { after: 1 }), "hello x")
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("interrupts all members there when it is interrupted", () =>
    Effect.gen(function*() {
      const { echo, waiting } = yield* remote
      const fiber = yield* Effect.forkChild(Ensemble.vote({ slow: echo.wait(), greet: echo.greet({ name: "x" }) }))
      yield* Deferred.await(waiting.started)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("has their errors as instances of their classes, and their defects", () =>
    Effect.gen(function*() {
      const { echo } = yield* remote
      const { crash, greet, refuse } = yield* Ensemble.settled({
        crash: echo.crash(),
        greet: echo.greet({ name: "x" }),
        refuse: echo.refuse({ reason: "no", at })
      })
      assert.isTrue(Exit.hasDies(crash))
      assert.deepStrictEqual(greet, Exit.succeed("hello x"))
      assert.deepStrictEqual(yield* Effect.flip(refuse), new Refused({ reason: "no", at }))
    }))

  it.live("answers while a shadow hangs there, and interrupts it with the mirror", () =>
    Effect.gen(function*() {
      const { echo, waiting } = yield* remote
      yield* Effect.scoped(Effect.gen(function*() {
        const mirror = yield* Ensemble.makeMirror({ concurrency: 1 })
        assert.strictEqual(yield* mirror.run(echo.greet({ name: "x" }), echo.wait()), "hello x")
        yield* Deferred.await(waiting.started)
      }))
      yield* Deferred.await(waiting.interrupted)
    }))
})
