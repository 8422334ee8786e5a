import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"

/** Made for this test, for `localhost`, until 2126. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqGqnrMS6Zs85vpJ2
PC+fT2sUjFBiKy/LsDWeMUYZa3yhRANCAASuJq54vCmiSSX8vL8jNRAGmDOmys2h
AXs7QZWKUycsm8npEsPH7dUnf1ptb305n7ApesPi4D7dekzV/coIQ/LK
-----END PRIVATE KEY-----
`
const cert = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUaPH/F6WsGV7msCUDWN/n/0HqfdQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTA1NDAzMloYDzIxMjYxMDI4
MDU0MDMyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASuJq54vCmiSSX8vL8jNRAGmDOmys2hAXs7QZWKUycsm8npEsPH7dUn
f1ptb305n7ApesPi4D7dekzV/coIQ/LKo2kwZzAdBgNVHQ4EFgQU4uPw4s3sfN8j
c8rgDnaOlsrdIVUwHwYDVR0jBBgwFoAU4uPw4s3sfN8jc8rgDnaOlsrdIVUwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIgBvwntTuWtkxXo6QoC/FuoSXb3sIkUTyZNFyBGblf+JkCIQDZUJYFwAvC
u3iQcTcNx9IDCcWs7iLnzDGo8YCcrkpHqA==
-----END CERTIFICATE-----
`

const serve = Effect.fnUntraced(function*() {
  const waiting = yield* makeWaiting
  const context = yield* Layer.build(
    Layer.provide(Socket.layerServer([Echo], { port: 0 }, { tls: { key, cert } }), echoLive(waiting))
  )
  return { address: Context.get(context, Socket.Server).address, waiting }
})

describe("Socket over TLS", () => {
  it.live("carries small and large calls, many at a time", () =>
    Effect.gen(function*() {
      const { address } = yield* serve()
      yield* Effect.gen(function*() {
        const echo = yield* Echo
        assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
        const tensors = Array.from({ length: 16 }, (_, index) =>
          Tensor.make("float32", [150, 1000], new Float32Array(150_000).fill(index)))
        const answers = yield* Effect.forEach(tensors, (tensor) =>
          echo.tensor({ tensor }), {
          concurrency: "unbounded"
        })
        for (const [index, { data }] of answers.entries()) {
          assert.isTrue(data.every((value) => value === index))
        }
      }).pipe(Effect.provide(Socket.layerClient(Echo, address, { tls: { ca: cert, servername: "localhost" } })))
    }))

  it.live("makes the calls of a server that stops Unavailable", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { address, waiting } = yield* Scope.provide(serve(), scope)
      yield* Effect.gen(function*() {
        const echo = yield* Echo
        const running = yield* Effect.forkChild(Effect.flip(echo.wait()))
        yield* Deferred.await(waiting.started)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Fiber.join(running)).reason._tag, "Unavailable")
      }).pipe(Effect.provide(Socket.layerClient(Echo, address, { tls: { ca: cert, servername: "localhost" } })))
    }))

  it.live("is Unavailable for a client that does not trust the server, or does not speak TLS", () =>
    Effect.gen(function*() {
      const { address } = yield* serve()
      for (const tls of [{ servername: "localhost" }, undefined]) {
        const options = { connectTimeout: "100 millis", ...(tls === undefined ? {} : { tls }) } as const
        const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" }))).pipe(
          Effect.provide(Socket.layerClient(Echo, address, options)),
          Effect.timeout("5 seconds")
        )
        assert.strictEqual(error._tag === "ServiceError" ? error.reason._tag : error, "Unavailable")
      }
    }))
})
