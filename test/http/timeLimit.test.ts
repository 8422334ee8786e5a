import { assert, describe, it } from "@effect/vitest"
import { Serve } from "chorale"
import { Deferred, Effect, Layer } from "effect"
import { HttpEffect, HttpRouter, HttpServerRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { makeWaiting, Vision, visionLive } from "./surface.ts"

describe("a call without a deadline", () => {
  it.effect("is interrupted and answered with 504 after a minute, and not before", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const app = yield* HttpRouter.toHttpEffect(Layer.provide(Serve.http([Vision]), visionLive(waiting)))
      const answered = yield* Deferred.make<number>()
      const handled = HttpEffect.toHandled(app, (_, { status }) => Deferred.succeed(answered, status))
      const request = HttpServerRequest.fromWeb(new Request("http://test/test/Vision/wait", { method: "POST" }))
      yield* Effect.forkChild(Effect.provideService(handled, HttpServerRequest.HttpServerRequest, request))
      yield* Deferred.await(waiting.started)
      yield* TestClock.adjust("59 seconds")
      assert.isFalse(yield* Deferred.isDone(waiting.interrupted))
      yield* TestClock.adjust("2 seconds")
      yield* Deferred.await(waiting.interrupted)
      assert.strictEqual(yield* Deferred.await(answered), 504)
    }))
})
