import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Remote, ServiceError, Tensor } from "chorale"
import { Effect, Layer, type Scope } from "effect"
import { createServer } from "node:http"
import { at, Echo, echoLive, makeWaiting, Refused, type Waiting } from "./fixtures/echo.ts"
import { keepsItsPromises } from "./fixtures/promises.ts"
import { serve } from "./fixtures/server.ts"

const remote = (url: string) => Remote.layerHttp(Echo, { url }).pipe(Layer.provide(NodeHttpClient.layerUndici))

const withRemote = (use: (echo: Echo["Service"], waiting: Waiting) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const waiting = yield* makeWaiting
    const url = yield* serve(Echo, echoLive(waiting))
    yield* Effect.flatMap(Echo, (echo) => use(echo, waiting)).pipe(Effect.provide(remote(url)))
  })

/** A server that answers every request with one status, for the length of a scope. */
const answering = (status: number, headers: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((_, response) => {
        response.writeHead(status, headers).end("{}")
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close() }))
      })
    }),
    (server) => Effect.sync(() => server.close())
  )

const reasonFrom = Effect.fnUntraced(function*(url: string) {
  const call = Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" })))
  const error = yield* Effect.provide(call, remote(url))
  assert.instanceOf(error, ServiceError.ServiceError)
  assert.strictEqual(error.service, "test/Echo")
  assert.strictEqual(error.method, "greet")
  return error.reason
})

describe("Remote.layerHttp", () => {
  keepsItsPromises(withRemote)

  it.live("carries tensors with their dtype, shape, NaN, -0 and 64-bit integers", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const floats = Tensor.make("float32", [2, 3], Float32Array.of(NaN, -0, Infinity, -Infinity, 1e-45, 1))
      assert.deepStrictEqual(yield* echo.tensor({ tensor: floats }), floats)
      const integers = Tensor.make("int64", [2], BigInt64Array.of(-(2n ** 63n), 1n))
      assert.deepStrictEqual(yield* echo.integers({ tensor: integers }), integers)
      const empty = Tensor.zeros("float32", [0, 3])
      assert.deepStrictEqual(yield* echo.tensor({ tensor: empty }), empty)
    })))

  it.live("gives tensors of every small size aligned for their dtype", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      for (let rows = 1; rows <= 40; rows++) {
        const sent = Tensor.make("float32", [rows, 1], Float32Array.from({ length: rows }, (_, row) => row))
        const { tensor } = { tensor: yield* echo.tensor({ tensor: sent }) }
        assert.strictEqual(tensor.data.byteOffset % 4, 0)
        assert.deepStrictEqual(tensor, sent)
      }
    })))

  it.live("carries a tensor of more than 16 MiB", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const large = Tensor.zeros("float32", [5, 1024 * 1024])
      large.data[large.data.length - 1] = 7
      const back = yield* echo.tensor({ tensor: large })
      assert.strictEqual(back.data[large.data.length - 1], 7)
    })))

  it.live("refuses a payload that does not fit before it is sent", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "" }))).pipe(
        Effect.provide(remote("http://127.0.0.1:1"))
      )
      assert.strictEqual(error.reason._tag, "InvalidPayload")
    }))

  it.live("serves a remote service as a gateway without changing its answers or errors", () =>
    Effect.gen(function*() {
      const behind = yield* serve(Echo, echoLive(yield* makeWaiting))
      const gateway = yield* serve(Echo, remote(behind))
      yield* Effect.gen(function*() {
        const echo = yield* Echo
        assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
        assert.instanceOf(yield* Effect.flip(echo.refuse({ reason: "no", at })), Refused)
      }).pipe(Effect.provide(remote(gateway)))
    }))

  it.live("is Unavailable where nothing listens", () =>
    Effect.gen(function*() {
      const { close, url } = yield* answering(200)
      close()
      assert.strictEqual((yield* reasonFrom(url))._tag, "Unavailable")
    }))

  it.live("tells by the status what a server that is not the service means", () =>
    Effect.gen(function*() {
      for (
        const [status, tag] of [
          [200, "ContractMismatch"],
          [404, "ContractMismatch"],
          [413, "InvalidPayload"],
          [429, "Overloaded"],
          [503, "Unavailable"]
        ] as const
      ) {
        const { url } = yield* answering(status)
        assert.strictEqual((yield* reasonFrom(url))._tag, tag, String(status))
      }
    }))

  it.live("says that a body is over the limit of the server", () =>
    Effect.gen(function*() {
      const url = yield* serve(Echo, echoLive(yield* makeWaiting), { maxBodySize: "1 kB" })
      const error = yield* Effect.flatMap(Echo, (echo) =>
        Effect.flip(echo.tensor({ tensor: Tensor.zeros("float32", [100, 100]) }))).pipe(Effect.provide(remote(url)))
      assert.strictEqual(error.reason._tag, "InvalidPayload")
      assert.include(error.message, "limit")
    }))
})
