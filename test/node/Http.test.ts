import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Serve, ServiceError } from "chorale"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { HttpRouter } from "effect/http"
import type * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { buffer } from "node:stream/consumers"
import { Worker } from "node:worker_threads"
import * as Frames from "../../src/internal/frames.ts"
import * as NodeHttp from "../../src/node/Http.ts"
import { cert, key } from "../fixtures/certificate.ts"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"
import { contentType } from "../fixtures/httpProbe.ts"
import { answering } from "../fixtures/httpServer.ts"
import { serve } from "../fixtures/server.ts"

const build = (options: NodeHttp.ClientOptions) =>
  Effect.map(Layer.build(NodeHttp.layerClient(Echo, options)), (context) => Context.get(context, Echo))

const reasonTag = (error: unknown) => error instanceof ServiceError.ServiceError ? error.reason._tag : error

/** Addresses of a port whose owner accepts nothing, and whose queue is full. */
const unaccepting = Effect.gen(function*() {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new Worker(
        `const { parentPort } = require("node:worker_threads")
        const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
          parentPort.postMessage(server.address().port)
          setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
        })`,
        { eval: true }
      )
    ),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const port = yield* Effect.callback<number>((resume) => {
    worker.once("message", (port) => resume(Effect.succeed(port)))
  })
  const sockets: Array<Net.Socket> = []
  yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
  yield* Effect.sync(() => {
    for (let index = 0; index < 8; index++) {
      const socket = Net.connect(port, "127.0.0.1")
      socket.on("error", () => undefined)
      sockets.push(socket)
    }
  })
  // Those that the queue has room for are connected by now.
  yield* Effect.sleep("100 millis")
  return `http://127.0.0.1:${port}`
})

const serveTls = Effect.fnUntraced(function*(options: Https.ServerOptions) {
  const server = Https.createServer({ key, cert, ...options })
  yield* Layer.build(
    HttpRouter.serve(Serve.http([Echo]), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(echoLive(yield* makeWaiting)),
      Layer.provide(NodeHttpServer.layer(() => server, {
        host: "127.0.0.1",
        port: 0,
        gracefulShutdownTimeout: "1 second"
      }))
    )
  )
  const address = server.address()
  return `https://localhost:${typeof address === "object" && address !== null ? address.port : 0}`
})

describe("Http.layerClient", () => {
  it.live("is Unavailable within the time for connecting where an address does not answer", () =>
    Effect.gen(function*() {
      const echo = yield* build({ url: yield* unaccepting, connectTimeout: "200 millis" })
      const start = performance.now()
      const errors = yield* Effect.forEach([1, 2, 3], () => Effect.flip(echo.greet({ name: "x" })), {
        concurrency: "unbounded"
      })
      const elapsed = performance.now() - start
      assert.deepStrictEqual(errors.map(reasonTag), ["Unavailable", "Unavailable", "Unavailable"])
      assert.isAbove(elapsed, 190)
      assert.isBelow(elapsed, 1000)
    }))

  it.live("is Unavailable at once where nothing listens or the name is none", () =>
    Effect.gen(function*() {
      for (const url of ["http://127.0.0.1:1", "http://nothing.invalid"]) {
        const echo = yield* build({ url })
        assert.strictEqual(reasonTag(yield* Effect.flip(echo.greet({ name: "x" }))), "Unavailable")
      }
    }))

  it.live("does not send a request again whose connection broke, and finds the next server", () =>
    Effect.gen(function*() {
      let requests = 0
      const url = yield* answering((request) => {
        requests++
        request.on("end", () => request.socket.destroy()).resume()
      })
      const echo = yield* build({ url })
      assert.strictEqual(reasonTag(yield* Effect.flip(echo.greet({ name: "x" }))), "Unavailable")
      assert.strictEqual(requests, 1)
      assert.strictEqual(reasonTag(yield* Effect.flip(echo.greet({ name: "x" }))), "Unavailable")
      assert.strictEqual(requests, 2)
    }))

  it.live("keeps connections for the next calls, after refusals too", () =>
    Effect.gen(function*() {
      const sockets = new Set<Net.Socket>()
      const answer: Http.RequestListener = (request, response) => {
        sockets.add(request.socket)
        request.on("end", () => response.writeHead(503).end("x".repeat(1000))).resume()
      }
      const echo = yield* build({ url: yield* answering(answer), connections: 1 })
      for (let calls = 0; calls < 20; calls++) yield* Effect.flip(echo.greet({ name: "x" }))
      assert.strictEqual(sockets.size, 1)
    }))

  it.live("hangs up on a refusal that does not end", () =>
    Effect.gen(function*() {
      const closed = yield* Deferred.make<void>()
      const url = yield* answering((_, response) => {
        const write = () => {
          while (response.write(Buffer.alloc(16 * 1024)));
        }
        response.on("drain", write).on("close", () => Deferred.doneUnsafe(closed, Effect.void)).writeHead(500)
        write()
      })
      const echo = yield* build({ url })
      assert.strictEqual(reasonTag(yield* Effect.flip(echo.greet({ name: "x" }))), "Unavailable")
      yield* Deferred.await(closed)
    }))

  it.live("has calls wait for a connection where there may be no more, and never sends what is interrupted meanwhile", () =>
    Effect.gen(function*() {
      const names: Array<string> = []
      const first = yield* Deferred.make<() => void>()
      const url = yield* answering((request, response) => {
        const refuse = () => void response.writeHead(503).end()
        void buffer(request).then((sent) => {
          const { payload } = Frames.decode(Uint8Array.from(sent)) as { readonly payload: { readonly name: string } }
          names.push(payload.name)
          if (names.length === 1) Deferred.doneUnsafe(first, Effect.succeed(refuse))
          else refuse()
        })
      })
      const echo = yield* build({ url, connections: 1 })
      const [a, b, c] = yield* Effect.forEach(
        ["a", "b", "c"] as const,
        (name) => Effect.forkChild(Effect.flip(echo.greet({ name })), { startImmediately: true })
      )
      const refuse = yield* Deferred.await(first)
      yield* Effect.sleep("50 millis")
      assert.isUndefined(c?.pollUnsafe())
      if (b !== undefined) yield* Fiber.interrupt(b)
      refuse()
      if (a !== undefined && c !== undefined) yield* Fiber.joinAll([a, c])
      assert.deepStrictEqual(names, ["a", "c"])
    }))

  it.live("refuses an answer over its limit", () =>
    Effect.gen(function*() {
      const url = yield* serve(Echo, echoLive(yield* makeWaiting))
      const echo = yield* build({ url, maxResponseSize: "100 kB" })
      const error = yield* Effect.flip(echo.bytes({ body: new Uint8Array(200_000) }))
      assert.strictEqual(reasonTag(error), "ContractMismatch")
      assert.include(error.message, "100000")
      assert.strictEqual((yield* echo.bytes({ body: new Uint8Array(99_000) })).byteLength, 99_000)
    }))

  it.live("sends its token with every call, and keeps the path of its URL", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const url = yield* answering((request, response) => {
        seen.push([request.url, request.headers.authorization, request.headers["content-type"]])
        response.writeHead(401).end()
      })
      const echo = yield* build({ url: `${url}/models/`, token: Redacted.make("secret") })
      yield* Effect.flip(echo.greet({ name: "x" }))
      yield* Effect.flip(echo.bytes({ body: new Uint8Array(200_000) }))
      const expected = ["/models/rpc", "Bearer secret", contentType]
      assert.deepStrictEqual(seen, [expected, expected])
    }))

  it.live("makes the calls of a client that is released end", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const url = yield* serve(Echo, echoLive(waiting))
      const scope = yield* Scope.make()
      const echo = yield* Scope.provide(build({ url }), scope)
      const call = yield* Effect.forkChild(Effect.exit(echo.wait()))
      yield* Deferred.await(waiting.started)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(call)))
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("makes the calls of a server that stops Unavailable", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const scope = yield* Scope.make()
      const echo = yield* build({ url: yield* Scope.provide(serve(Echo, echoLive(waiting)), scope) })
      const call = yield* Effect.forkChild(Effect.flip(echo.wait()))
      yield* Deferred.await(waiting.started)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(reasonTag(yield* Fiber.join(call)), "Unavailable")
    }))

  it.live("speaks TLS with the server it trusts, and with no other", () =>
    Effect.gen(function*() {
      const url = yield* serveTls({})
      const trusting = yield* build({ url, tls: { ca: cert } })
      assert.strictEqual(yield* trusting.greet({ name: "x" }), "hello x")
      assert.strictEqual((yield* trusting.bytes({ body: new Uint8Array(700_000).fill(7) })).at(-1), 7)
      const other = yield* build({ url })
      assert.strictEqual(reasonTag(yield* Effect.flip(other.greet({ name: "x" }))), "Unavailable")
    }))

  it.live("shows its certificate to a server that asks for one", () =>
    Effect.gen(function*() {
      const url = yield* serveTls({ requestCert: true, rejectUnauthorized: true, ca: cert })
      const known = yield* build({ url, tls: { ca: cert, cert, key } })
      assert.strictEqual(yield* known.greet({ name: "x" }), "hello x")
      const unknown = yield* build({ url, tls: { ca: cert } })
      assert.strictEqual(reasonTag(yield* Effect.flip(unknown.greet({ name: "x" }))), "Unavailable")
    }))
})
