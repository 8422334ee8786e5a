import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, ServiceError, Tensor } from "chorale"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Redacted, Schema, Tracer } from "effect"
import { Rpc } from "effect/rpc"
import * as OpenInferenceGrpc from "../../src/grpc/OpenInferenceGrpc.ts"
import { ModelDiffers } from "../../src/OpenInference.ts"
import { cert, key } from "../fixtures/certificate.ts"
import { Echo, Fate, fates, Mixed, Pair } from "../openInference/models.ts"
import { empty, every, finite, same } from "../openInference/roundTrip.ts"
import { serve } from "./peer.ts"

const connect = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  port: number,
  options: Partial<OpenInferenceGrpc.ClientOptions<Rpcs>> = {}
) =>
  Effect.map(
    Layer.build(OpenInferenceGrpc.layerClient(service, { address: `127.0.0.1:${port}`, ...options })),
    (context) => Context.get(context, service)
  )

const how = (fate: number) => ({ how: Tensor.make("int32", [1], Int32Array.of(fate)) })

const vector = (...elements: ReadonlyArray<number>) =>
  Tensor.make("float32", [elements.length], Float32Array.from(elements))

const reasonOf = <A, R>(call: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.flip(call), (error) => {
    assert.instanceOf(error, ServiceError.ServiceError)
    return error.reason
  })

describe("a service whose models are elsewhere, over gRPC", () => {
  it.live("gets its tensors back as they were, of every dtype and of none", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const echo = yield* connect(Echo, port)
      same(yield* echo.every(every), every)
      same(yield* echo.every(empty), empty)
      same(yield* echo.optional({ first: vector(1) }), { first: vector(1) })
      const large = Tensor.zeros("float32", [1_000_000])
      same({ output: yield* echo.whole(large) }, { output: large })
    }))

  it.live("is called by the names that its tensors have there", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ version: "2" })
      class Numbers extends Model.Service<Numbers>()("other/Numbers", [
        Rpc.make("ask", {
          payload: { values: Tensor.schema("float32", ["batch", 2]), flags: Tensor.schema("bool", ["batch", 2]) },
          success: Schema.Struct({ same: Tensor.schema("float32", ["batch", 2]) })
        })
      ]) {}
      const numbers = yield* connect(Numbers, port, {
        models: {
          ask: {
            model: "test.Echo.numbers",
            version: "2",
            inputs: { values: "float32", flags: "bool" },
            outputs: { same: "float32" }
          }
        }
      })
      same(yield* numbers.ask({ values: finite.float32, flags: finite.bool }), { same: finite.float32 })
    }))

  it.live("names the tensor that differs", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      class Images extends Model.Service<Images>()("other/Images", [
        Rpc.make("see", {
          payload: { pixels: Tensor.schema("uint8", ["height", "width", 1]) },
          success: Tensor.schema("uint8", [])
        })
      ]) {}
      const differs = yield* Effect.flip(connect(Images, port, { models: { see: { model: "test.Echo.image" } } }))
      assert.instanceOf(differs, ModelDiffers)
      assert.deepStrictEqual(
        [differs.tensor, differs.expected, differs.actual],
        ["input pixels", "UINT8[height, width, 1]", "UINT8[-1, 4, 3]"]
      )
      const unknown = yield* reasonOf(connect(Images, port))
      assert.strictEqual(unknown._tag, "ContractMismatch")
      const gone = yield* reasonOf(connect(Images, 1))
      assert.strictEqual(gone._tag, "Unavailable")
    }))

  it.live("fails as its models do, by their codes", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const fate = yield* connect(Fate, port)
      const expected: ReadonlyArray<readonly [keyof typeof fates, ServiceError.Reason["_tag"], string]> = [
        ["blurred", "InvalidPayload", "blurred by 2"],
        ["odd", "Unavailable", "INTERNAL"],
        ["overloaded", "Overloaded", ""],
        ["unavailable", "Unavailable", "gone"],
        ["late", "DeadlineExceeded", ""],
        ["mismatch", "ContractMismatch", "another one"],
        ["refused", "InvalidPayload", "too dark"],
        ["defect", "Unavailable", "INTERNAL"]
      ]
      for (const [name, tag, text] of expected) {
        const reason = yield* reasonOf(fate.end(how(fates[name])))
        assert.strictEqual(reason._tag, tag, name)
        assert.include(reason.message, text)
        if (reason._tag === "Overloaded") assert.strictEqual(Duration.toSeconds(reason.retryAfter), 2)
      }
    }))

  it.live("hands its deadline and its trace on", () =>
    Effect.gen(function*() {
      const { port, waiting } = yield* serve()
      const fate = yield* connect(Fate, port)
      const remaining = yield* fate.end(how(fates.remaining)).pipe(Deadline.within("2 seconds"))
      assert.isTrue(Number(remaining.data[0]) > 1000 && Number(remaining.data[0]) <= 2000)
      const late = yield* reasonOf(fate.end(how(fates.wait)).pipe(Deadline.within("100 millis")))
      assert.strictEqual(late._tag, "DeadlineExceeded")
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("is one trace with its handler", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const run = Effect.gen(function*() {
        const { port } = yield* serve()
        const echo = yield* connect(Echo, port)
        yield* echo.whole(vector(1)).pipe(Effect.withSpan("root"))
      })
      yield* Effect.withTracer(run, tracer)
      const [root, client, handler] = spans.slice(-3)
      assert.deepStrictEqual(spans.slice(-3).map(({ name }) => name), ["root", "test/Echo.whole", "test/Echo.whole"])
      assert.strictEqual(handler?.traceId, root?.traceId)
      assert.strictEqual(handler?.parent._tag === "Some" ? handler.parent.value.spanId : "", client?.spanId)
    }))

  it.live("interrupts the handler when its caller is interrupted", () =>
    Effect.gen(function*() {
      const { port, waiting } = yield* serve()
      const fate = yield* connect(Fate, port)
      const call = yield* Effect.forkChild(fate.end(how(fates.wait)))
      yield* Deferred.await(waiting.started)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("has 64 calls in flight that wait for each other", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const pair = yield* connect(Pair, port)
      const meet = pair.meet({ count: Tensor.make("int32", [1], Int32Array.of(64)) })
      yield* Effect.all(Array.from({ length: 64 }, () => meet), { concurrency: "unbounded", discard: true })
    }))

  it.live("sends its token, over TLS", () =>
    Effect.gen(function*() {
      const token = Redacted.make("sesame")
      const { port } = yield* serve({ token, tls: { cert: Buffer.from(cert), key: Buffer.from(key) } })
      const address = `localhost:${port}`
      const echo = yield* connect(Echo, port, { address, token, tls: { ca: Buffer.from(cert) } })
      same({ output: yield* echo.whole(vector(1)) }, { output: vector(1) })
      const refused = yield* reasonOf(connect(Echo, port, { address, tls: { ca: Buffer.from(cert) } }))
      assert.strictEqual(refused._tag, "ContractMismatch")
      assert.include(refused.message, "UNAUTHENTICATED")
    }))

  it.live("shows its certificate to a server that asks for one", () =>
    Effect.gen(function*() {
      const [ca, own] = [Buffer.from(cert), Buffer.from(key)]
      const { port } = yield* serve({ tls: { cert: ca, key: own, ca } })
      const address = `localhost:${port}`
      const known = yield* connect(Echo, port, { address, tls: { ca, cert: ca, key: own } })
      same({ output: yield* known.whole(vector(1)) }, { output: vector(1) })
      const unknown = yield* reasonOf(connect(Echo, port, { address, tls: { ca } }))
      assert.strictEqual(unknown._tag, "Unavailable")
    }))

  it.live("says of a message over the limit that its payload is too large", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ maxMessageSize: "1 KiB" })
      const echo = yield* connect(Echo, port)
      const there = yield* reasonOf(echo.whole(Tensor.zeros("float32", [1000])))
      assert.strictEqual(there._tag, "InvalidPayload")
      const small = yield* connect(Echo, port, { maxMessageSize: "1 KiB", verify: false })
      const here = yield* reasonOf(small.whole(Tensor.zeros("float32", [1000])))
      assert.strictEqual(here._tag, "InvalidPayload")
      same({ output: yield* small.whole(vector(1)) }, { output: vector(1) })
    }))

  it.live("is a mistake of the program where a method has no tensors", () =>
    Effect.sync(() => {
      assert.throws(() => OpenInferenceGrpc.layerClient(Mixed, { address: "127.0.0.1:1" }), /test\/Mixed\.text/)
    }))
})
