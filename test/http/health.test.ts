import { assert, describe, it } from "@effect/vitest"
import { Serve } from "chorale"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { layerServer } from "../../src/node/HttpServer.ts"
import * as Readiness from "../../src/Readiness.ts"
import { jsonOf, makeWaiting, postJson, send, serveVision, Vision, visionLive } from "./surface.ts"

/** A server that ends with a scope of its own, whose end is not waited for. */
const serveApart = Effect.fnUntraced(function*(options: Parameters<typeof layerServer>[0]) {
  const scope = yield* Scope.make()
  const running = yield* Scope.provide(serveVision({}, options), scope)
  return { ...running, stop: Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true }) }
})

describe("GET /readyz", () => {
  it.live("says what is missing until nothing is", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      let loading: string | undefined = "the model is loading"
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Readiness.report("detector", Effect.sync(() => loading))
        yield* Readiness.report("store", Effect.die("a bug"))
        const answer = yield* send(`${url}/readyz`)
        assert.strictEqual(answer.status, 503)
        assert.strictEqual(answer.headers.get("retry-after"), "1")
        assert.deepInclude(jsonOf(answer), {
          _tag: "NotReady",
          missing: { detector: "the model is loading", store: "its check failed" }
        })
        assert.strictEqual((yield* send(`${url}/livez`)).status, 200)
        loading = undefined
        assert.deepStrictEqual(jsonOf(yield* send(`${url}/readyz`)).missing, { store: "its check failed" })
      }))
      assert.strictEqual((yield* send(`${url}/readyz`)).status, 200)
    }))

  it.effect("does not wait for a check that hangs", () =>
    Effect.gen(function*() {
      const checks = new Set<Readiness.Check>([{ name: "slow", missing: Effect.never }])
      const fiber = yield* Effect.forkChild(Effect.provideService(Readiness.missing, Readiness.Checks, checks), {
        startImmediately: true
      })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { slow: "its check takes too long" })
    }))

  it.live("asks the checks that a layer provides in place of those of the process", () =>
    Effect.gen(function*() {
      const checks = new Set<Readiness.Check>([{ name: "mine", missing: Effect.succeed("not yet") }])
      const layer = HttpRouter.serve(Serve.http([Vision]), { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(visionLive(yield* makeWaiting)),
        Layer.provideMerge(layerServer({ port: 0 })),
        Layer.provide(Layer.succeed(Readiness.Checks, checks))
      )
      const url = HttpServer.formatAddress(Context.get(yield* Layer.build(layer), HttpServer.HttpServer).address)
      assert.deepStrictEqual(jsonOf(yield* send(`${url}/readyz`)).missing, { mine: "not yet" })
    }))
})

describe("a server that is told to stop", () => {
  it.live("says so and still takes requests for the time of its drain", () =>
    Effect.gen(function*() {
      const { stop, url } = yield* serveApart({ drainDelay: "300 millis" })
      const stopping = yield* stop
      const ready = yield* send(`${url}/readyz`)
      assert.strictEqual(ready.status, 503)
      assert.strictEqual(jsonOf(ready)._tag, "Draining")
      assert.strictEqual((yield* send(`${url}/livez`)).status, 200)
      assert.strictEqual((yield* postJson(`${url}/test/Vision/greet`, { name: "x" })).status, 200)
      yield* Fiber.join(stopping)
    }))

  it.live("waits for the calls that run", () =>
    Effect.gen(function*() {
      const { stop, url, waiting } = yield* serveApart({ gracefulShutdownTimeout: "10 seconds" })
      const call = yield* Effect.forkChild(postJson(`${url}/test/Vision/wait`, {}, { "chorale-deadline": "400" }))
      yield* Deferred.await(waiting.started)
      const stopping = yield* stop
      // It would be 503 if the call had been cut off.
      assert.strictEqual((yield* Fiber.join(call)).status, 504)
      // The client keeps its connection, for which the server does not wait.
      yield* Effect.timeout(Fiber.join(stopping), "5 seconds")
    }))

  it.live("answers those that are left with 503, interrupts them, and does not wait longer than it should", () =>
    Effect.gen(function*() {
      const { stop, url, waiting } = yield* serveApart({ gracefulShutdownTimeout: "100 millis" })
      const call = yield* Effect.forkChild(postJson(`${url}/test/Vision/wait`, {}))
      yield* Deferred.await(waiting.started)
      const stopping = yield* stop
      const answer = yield* Fiber.join(call)
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers.get("retry-after"), "1")
      assert.strictEqual(jsonOf(answer)._tag, "Unavailable")
      yield* Deferred.await(waiting.interrupted)
      yield* Fiber.join(stopping)
    }))
})
