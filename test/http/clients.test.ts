import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deadline, type Model, Remote, ServiceError, Tensor } from "chorale"
import { Deferred, Duration, Effect, Fiber, Layer, type Scope, Stream } from "effect"
import { HttpClient } from "effect/http"
import type { Rpc } from "effect/rpc"
import type * as Http from "node:http"
import { buffer } from "node:stream/consumers"
import * as Frames from "../../src/internal/frames.ts"
import * as NodeHttp from "../../src/node/Http.ts"
import { at, Echo, echoLive, makeWaiting, Refused, type Waiting } from "../fixtures/echo.ts"
import { contentType, itemSize, makeProbe, Probe } from "../fixtures/httpProbe.ts"
import { answering } from "../fixtures/httpServer.ts"
import { keepsItsPromises, type WithService } from "../fixtures/promises.ts"
import { serve } from "../fixtures/server.ts"

type Connect = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  url: string
) => Layer.Layer<Self>

const withEffect: Connect = (service, url) =>
  Remote.layerHttp(service, { url }).pipe(Layer.provide(NodeHttpClient.layerUndici))

const withUndici: Connect = (service, url) => NodeHttp.layerClient(service, { url })

const clients = [["Remote.layerHttp", withEffect], ["Http.layerClient", withUndici]] as const

const bytesOf = ({ data }: Tensor.Tensor<"float32">) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

describe.each(clients)("%s", (_, connect) => {
  const withRemote: WithService = (use) => withServer({}, use)

  const withServer = (
    options: Parameters<typeof serve>[2],
    use: (echo: Echo["Service"], waiting: Waiting) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const url = yield* serve(Echo, echoLive(waiting), options)
      yield* Effect.flatMap(Echo, (echo) => use(echo, waiting)).pipe(Effect.provide(connect(Echo, url)))
    })

  const reasonFrom = Effect.fnUntraced(function*(url: string) {
    const call = Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" })))
    const error = yield* Effect.provide(call, connect(Echo, url))
    assert.instanceOf(error, ServiceError.ServiceError)
    assert.strictEqual(error.service, "test/Echo")
    assert.strictEqual(error.method, "greet")
    return error.reason
  })

  keepsItsPromises(withRemote)

  it.live("gives tensors of every small size aligned to 8 bytes, to keep", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const sent = Array.from(
        { length: 40 },
        (_, index) => Tensor.make("float32", [index + 1, 1], new Float32Array(index + 1).fill(index))
      )
      const kept = yield* Effect.forEach(sent, (tensor) => echo.tensor({ tensor }))
      for (const [index, tensor] of kept.entries()) {
        assert.strictEqual(tensor.data.byteOffset % 8, 0)
        assert.deepStrictEqual(tensor, sent[index])
      }
    })))

  it.live("carries bytes of any length", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      for (const length of [0, 1, 7, 8, 32_767, 65_400, 65_536, 65_537, 100_003, 1_000_001]) {
        const body = Uint8Array.from({ length }, (_, index) => index)
        assert.strictEqual(Buffer.compare(yield* echo.bytes({ body }), body), 0, String(length))
      }
    })))

  it.live("answers 64 calls in flight with 600 KB each rightly, in memory that nothing else uses", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const sent = Array.from(
        { length: 64 },
        (_, index) => Tensor.make("float32", [150, 1000], new Float32Array(150_000).fill(index + 1))
      )
      const kept: Array<Tensor.Tensor<"float32">> = []
      for (let round = 0; round < 2; round++) {
        kept.push(...yield* Effect.forEach(sent, (tensor) => echo.tensor({ tensor }), { concurrency: "unbounded" }))
      }
      for (const [index, tensor] of kept.entries()) {
        assert.strictEqual(tensor.data.byteOffset % 8, 0)
        assert.strictEqual(Buffer.compare(bytesOf(tensor), bytesOf(sent[index % 64]!)), 0)
      }
      assert.strictEqual(new Set(kept.map(({ data }) => data.buffer)).size, kept.length)
    })))

  it.live("has 64 calls run at once", () =>
    Effect.gen(function*() {
      const { live } = yield* makeProbe
      const url = yield* serve(Probe, live)
      yield* Effect.flatMap(Probe, (probe) =>
        Effect.forEach(Array.from({ length: 64 }), () =>
          probe.meet({ guests: 64 }), { concurrency: "unbounded" })).pipe(
          Effect.provide(connect(Probe, url))
        )
    }))

  it.live("carries 20 MiB where the server takes as much, and is InvalidPayload where it does not", () =>
    Effect.gen(function*() {
      const large = Tensor.zeros("float32", [5, 1024 * 1024])
      large.data[large.data.length - 1] = 7
      yield* withServer(
        { maxBodySize: "21 MiB" },
        Effect.fnUntraced(function*(echo) {
          const back = yield* echo.tensor({ tensor: large })
          assert.strictEqual(Buffer.compare(bytesOf(back), bytesOf(large)), 0)
        })
      )
      yield* withServer(
        { maxBodySize: "20 MiB" },
        Effect.fnUntraced(function*(echo) {
          const error = yield* Effect.flip(echo.tensor({ tensor: large }))
          assert.strictEqual(error.reason._tag, "InvalidPayload")
          assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
        })
      )
    }))

  it.live("stops the producer of a stream of which it has enough", () =>
    Effect.gen(function*() {
      const { live, seen } = yield* makeProbe
      const url = yield* serve(Probe, live)
      yield* Effect.gen(function*() {
        const probe = yield* Probe
        const items = yield* Stream.runCollect(Stream.take(probe.flood(), 3))
        assert.deepStrictEqual(items.map((item) => item[itemSize - 1]), [1, 2, 3])
        yield* Deferred.await(seen.closed)
      }).pipe(Effect.provide(connect(Probe, url)))
    }))

  it.live("takes no more of a stream than is asked for, and loses nothing of it", () =>
    Effect.gen(function*() {
      const { live, seen } = yield* makeProbe
      const url = yield* serve(Probe, live)
      yield* Effect.gen(function*() {
        const probe = yield* Probe
        const resume = yield* Deferred.make<void>()
        const items: Array<number | undefined> = []
        const reader = yield* probe.flood().pipe(
          Stream.take(1000),
          Stream.runForEach((item) => {
            items.push(item[0])
            return items.length === 1 ? Deferred.await(resume) : Effect.void
          }),
          Effect.forkChild
        )
        // The buffers of both ends fill up, and then nothing more is produced.
        const settled = yield* Effect.sync(seen.produced).pipe(
          Effect.tap(Effect.sleep("200 millis")),
          Effect.repeat({ times: 50, until: (produced) => produced > 0 && produced === seen.produced() })
        )
        yield* Effect.sleep("300 millis")
        assert.strictEqual(seen.produced(), settled)
        assert.isBelow(settled, 1000)
        yield* Deferred.succeed(resume, undefined)
        yield* Fiber.join(reader)
        assert.deepStrictEqual(items, Array.from({ length: 1000 }, (_, index) => (index + 1) % 256))
      }).pipe(Effect.provide(connect(Probe, url)))
    }))

  it.live("serves a remote service as a gateway without changing its answers or errors", () =>
    Effect.gen(function*() {
      const behind = yield* serve(Echo, echoLive(yield* makeWaiting))
      const gateway = yield* serve(Echo, connect(Echo, behind))
      yield* Effect.gen(function*() {
        const echo = yield* Echo
        assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
        assert.instanceOf(yield* Effect.flip(echo.refuse({ reason: "no", at })), Refused)
      }).pipe(Effect.provide(connect(Echo, gateway)))
    }))

  it.live("waits for a server that never answers until the deadline of the call", () =>
    Effect.gen(function*() {
      const hungUp = yield* Deferred.make<void>()
      const url = yield* answering((_, response) => {
        response.on("close", () => Deferred.doneUnsafe(hungUp, Effect.void))
      })
      const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" }))).pipe(
        Deadline.within("300 millis"),
        Effect.provide(connect(Echo, url))
      )
      assert.strictEqual(error.reason._tag, "DeadlineExceeded")
      yield* Deferred.await(hungUp)
    }))

  it.live("tells by the status what a server that is not the service means", () =>
    Effect.gen(function*() {
      for (
        const [status, tag] of [
          [200, "ContractMismatch"],
          [204, "ContractMismatch"],
          [301, "ContractMismatch"],
          [400, "ContractMismatch"],
          [401, "ContractMismatch"],
          [404, "ContractMismatch"],
          [408, "Unavailable"],
          [413, "InvalidPayload"],
          [429, "Overloaded"],
          [500, "Unavailable"],
          [502, "Unavailable"],
          [503, "Unavailable"],
          [504, "DeadlineExceeded"]
        ] as const
      ) {
        const url = yield* answering((_, response) => response.writeHead(status).end("{}"))
        assert.strictEqual((yield* reasonFrom(url))._tag, tag, String(status))
      }
    }))

  it.live("keeps the Retry-After of a server that is at its limit", () =>
    Effect.gen(function*() {
      for (const [header, seconds] of [["7", 7], ["0", 0], ["Fri, 31 Dec 1999 23:59:59 GMT", 1]] as const) {
        const url = yield* answering((_, response) => response.writeHead(429, { "retry-after": header }).end())
        const reason = yield* reasonFrom(url)
        assert.strictEqual(reason._tag, "Overloaded")
        if (reason._tag === "Overloaded") assert.strictEqual(Duration.toSeconds(reason.retryAfter), seconds)
      }
    }))

  it.live("says that what answers is not the service", () =>
    Effect.gen(function*() {
      const exit = (requestId: unknown) =>
        Frames.encode([{ _tag: "Exit", requestId, exit: { _tag: "Success", value: { value: "x" } } }])
      const claim = new Uint8Array(64)
      new DataView(claim.buffer).setUint32(0, 0xffff_ffff, true)
      const cases: ReadonlyArray<readonly [string, (requestId: unknown) => Uint8Array]> = [
        ["nothing", () => new Uint8Array(0)],
        ["a page", () => new TextEncoder().encode("<html>It works!</html>")],
        ["half an answer", (id) => exit(id).subarray(0, -8)],
        ["two answers", (id) => Buffer.concat([exit(id), exit(id)])],
        ["the answer to another request", () => exit("another")],
        ["a frame that claims 4 GiB", () => claim],
        ["no message", () => Frames.encode([null])],
        ["no answer", (id) => Frames.encode([{ _tag: "Exit", requestId: id, exit: {} }])],
        ["a stream without items", (id) => Frames.encode([{ _tag: "Chunk", requestId: id, values: [] }])]
      ]
      for (const [name, body] of cases) {
        for (const isAnnounced of [true, false]) {
          const url = yield* answering((request, response) =>
            void buffer(request).then((sent) => {
              const { id } = Frames.decode(Uint8Array.from(sent)) as { readonly id: unknown }
              const bytes = body(id)
              response.writeHead(200, {
                "content-type": contentType,
                ...(isAnnounced ? { "content-length": bytes.byteLength } : {})
              })
              response.end(bytes)
            })
          )
          const how = `${name}, ${isAnnounced ? "announced" : "not announced"}`
          assert.strictEqual((yield* reasonFrom(url))._tag, "ContractMismatch", how)
        }
      }
    }))

  it.live("is Unavailable where the connection breaks before the answer or within it", () =>
    Effect.gen(function*() {
      const part = Frames.encode([{ text: "x".repeat(100) }]).subarray(0, 50)
      const cuts: ReadonlyArray<Http.RequestListener> = [
        (request) => request.destroy(),
        (request, response) => {
          response.writeHead(200, { "content-type": contentType, "content-length": 100 })
          response.write(part, () => request.socket.destroy())
        },
        (request, response) => {
          response.writeHead(200, { "content-type": contentType })
          response.write(part, () => request.socket.destroy())
        }
      ]
      for (const cut of cuts) {
        const url = yield* answering(cut)
        assert.strictEqual((yield* reasonFrom(url))._tag, "Unavailable")
      }
    }))
})

describe("Remote.layerHttp", () => {
  it.live("tells by the status, with a client that fails by itself where that is one of a failure", () =>
    Effect.gen(function*() {
      for (const [status, tag] of [[413, "InvalidPayload"], [429, "Overloaded"], [404, "ContractMismatch"]] as const) {
        const url = yield* answering((_, response) => response.writeHead(status).end())
        const strict = Layer.effect(
          HttpClient.HttpClient,
          Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk)
        ).pipe(Layer.provide(NodeHttpClient.layerUndici))
        const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" }))).pipe(
          Effect.provide(Layer.provide(Remote.layerHttp(Echo, { url }), strict))
        )
        assert.strictEqual(error.reason._tag, tag)
      }
    }))
})
