import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Tracer } from "effect"
import * as Https from "node:https"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { cert, key } from "../fixtures/certificate.ts"
import { post, postJson, send, serveVision } from "./surface.ts"

/** A connection on which everything is written by hand, and all that came on it when it was closed. */
const open = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { hostname, port } = new URL(url)
      const socket: Socket = connect(Number(port), hostname)
      const closed = Deferred.makeUnsafe<string>()
      let received = ""
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1")
      })
      socket.on("error", () => undefined)
      socket.on("close", () => Deferred.doneUnsafe(closed, Effect.succeed(received)))
      return { socket, closed: Deferred.await(closed) }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe("HttpServer.layerServer", () => {
  it.live("closes the connection of who sends the head of a request too slowly", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({}, { headersTimeout: "150 millis" })
      const { closed, socket } = yield* open(url)
      socket.write("GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ")
      assert.include(yield* closed, "408")
    }))

  it.live("closes the connection of who sends a body too slowly, and serves others meanwhile", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision(
        { concurrency: 1 },
        { headersTimeout: "100 millis", requestTimeout: "300 millis" }
      )
      const slow = yield* Effect.forEach([1, 2, 3, 4], () => open(url), { concurrency: 4 })
      for (const { socket } of slow) {
        socket.write(
          "POST /test/Vision/greet HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
      }
      assert.strictEqual((yield* postJson(`${url}/test/Vision/greet`, { name: "x" })).status, 200)
      yield* Effect.forEach(slow, ({ closed }) => closed, { concurrency: 4 })
    }))

  it.live("closes the connection of who asks for much and reads nothing", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision({}, { idleTimeout: "300 millis" })
      const { socket } = yield* open(url)
      socket.pause()
      socket.write(
        "POST /test/Vision/flood HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
      )
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("reads no more of large bodies at a time than it has room for, and gives the room back", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxBodiesSize: "5 MiB" })
      const large = new Uint8Array(3 * 1024 * 1024)
      const octets = { "content-type": "application/octet-stream" }
      const slow = yield* open(url)
      slow.socket.write(
        "POST /test/Vision/raw HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 4000000\r\n\r\n"
      )
      const refused = yield* Effect.repeat(post(`${url}/test/Vision/raw`, large, octets), {
        until: ({ status }) => status === 429,
        times: 100
      })
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "1")
      assert.strictEqual((yield* postJson(`${url}/test/Vision/greet`, { name: "x" })).status, 200)
      slow.socket.destroy()
      const taken = yield* Effect.repeat(post(`${url}/test/Vision/raw`, large, octets), {
        until: ({ status }) => status === 200,
        times: 100
      })
      assert.strictEqual(taken.status, 200)
    }))

  it.live("refuses a head that is too large, and ends at the number of connections that it is given", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({}, { maxHeaderSize: "2 KiB", maxConnections: 2 })
      const large = yield* open(url)
      large.socket.write(`GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ${"a".repeat(4000)}\r\n\r\n`)
      assert.include(yield* large.closed, "431")
      yield* Effect.forEach([1, 2], () => open(url), { concurrency: 1 })
      const beyond = yield* open(url)
      assert.strictEqual(yield* beyond.closed, "")
    }))

  it.live("asks a client for its certificate over mutual TLS", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({}, {
        tls: { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true }
      })
      const { port } = new URL(url)
      const request = (options: Https.RequestOptions) =>
        Effect.callback<number | string>((resume) => {
          const call = Https.get({
            host: "127.0.0.1",
            port,
            path: "/livez",
            servername: "localhost",
            ca: cert,
            agent: false,
            ...options
          })
          call.on("response", (response) => {
            response.resume()
            resume(Effect.succeed(response.statusCode ?? 0))
          })
          call.on("error", (error) => resume(Effect.succeed(error.message)))
          return Effect.sync(() => call.destroy())
        })
      assert.strictEqual(yield* request({ key, cert }), 200)
      assert.isString(yield* request({}))
    }))

  it.live("listens on a unix socket", () =>
    Effect.gen(function*() {
      const path = join(tmpdir(), `chorale-test-${process.pid}-${Math.floor(performance.now())}.sock`)
      yield* serveVision({}, { path })
      const answer = yield* Effect.callback<string>((resume) => {
        const socket = connect(path, () => socket.write("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
        let received = ""
        socket.on("data", (chunk) => {
          received += chunk.toString()
        })
        socket.on("close", () => resume(Effect.succeed(received)))
      })
      assert.include(answer, "200 OK")
    }))
})

describe("the trace of a caller", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c"
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`

  it.live("is continued where no tracer is at work", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* postJson(`${url}/test/Vision/trace`, {}, { traceparent })
      assert.strictEqual(answer.text, JSON.stringify(traceId))
    }))

  it.live("is continued by the span of the request where one is, and of none for health and metrics", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* Effect.gen(function*() {
        const { url } = yield* serveVision()
        for (const path of ["/livez", "/readyz", "/metrics"]) yield* send(url + path)
        assert.deepStrictEqual(spans, [])
        yield* postJson(`${url}/test/Vision/trace`, {}, { traceparent })
      }).pipe(Effect.withTracer(tracer))
      assert.deepStrictEqual(
        spans.map(({ kind, name, traceId }) => ({ kind, name, traceId })),
        [
          { kind: "server", name: "POST", traceId },
          { kind: "internal", name: "test/Vision.trace", traceId }
        ]
      )
    }))
})
