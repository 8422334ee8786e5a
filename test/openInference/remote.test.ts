import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, OpenInference, Serve, ServiceError, Tensor } from "chorale"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { Rpc } from "effect/rpc"
import { answering } from "../fixtures/httpServer.ts"
import { Echo, Fate, fates, makeWaiting, Mixed, Pair, serve, services, servicesLive } from "./models.ts"
import { empty, every, finite, same } from "./roundTrip.ts"

const connect = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  options: OpenInference.ClientOptions<Rpcs>
) =>
  Effect.map(
    Layer.build(Layer.provide(OpenInference.layer(service, options), NodeHttpClient.layerUndici)),
    (context) => Context.get(context, service)
  )

const how = (fate: number) => ({ how: Tensor.make("int32", [1], Int32Array.of(fate)) })

const vector = (...elements: ReadonlyArray<number>) =>
  Tensor.make("float32", [elements.length], Float32Array.from(elements))

const reasonOf = <A>(call: Effect.Effect<A, unknown>) =>
  Effect.map(Effect.flip(call), (error) => {
    assert.instanceOf(error, ServiceError.ServiceError)
    return error.reason
  })

describe("a service whose models are elsewhere", () => {
  it.live("gets its tensors back as they were, of every dtype and of none", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const echo = yield* connect(Echo, { url: `${url}/` })
      same(yield* echo.every(every), every)
      same(yield* echo.every(empty), empty)
      same({ output: yield* echo.whole(vector(1, NaN)) }, { output: vector(1, NaN) })
      same(yield* echo.optional({ first: vector(1) }), { first: vector(1) })
      same(yield* echo.optional({ first: vector(1), second: vector() }), { first: vector(1), second: vector() })
    }))

  it.live("reads what comes back where it is", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const echo = yield* connect(Echo, { url })
      const result = yield* echo.every(every)
      assert.strictEqual(new Set(Object.values(result).map(({ data }) => data.buffer)).size, 1)
    }))

  it.live("does without binary where it is told to", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const echo = yield* connect(Echo, { url, binary: false })
      same(yield* echo.numbers(finite), finite)
      const integers = {
        int64: Tensor.make("int64", [1], BigInt64Array.of(2n ** 63n - 1n)),
        uint64: Tensor.zeros("uint64", [0])
      }
      same(yield* echo.integers(integers), integers)
      const reason = yield* reasonOf(echo.whole(vector(NaN)))
      assert.strictEqual(reason._tag, "InvalidPayload")
      assert.include(reason.message, "NaN")
      assert.include((yield* reasonOf(echo.every({ ...empty, float16: every.float16 }))).message, "FP16")
    }))

  it.live("is called by the names that its tensors have there", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ version: "2" })
      class Numbers extends Model.Service<Numbers>()("other/Numbers", [
        Rpc.make("ask", {
          payload: { values: Tensor.schema("float32", ["batch", 2]), flags: Tensor.schema("bool", ["batch", 2]) },
          success: Tensor.schema("float32", ["batch", 2])
        })
      ]) {}
      const numbers = yield* connect(Numbers, {
        url,
        models: {
          ask: {
            model: "test.Echo.numbers",
            version: "2",
            inputs: { values: "float32", flags: "bool" },
            outputs: { output: "float32" }
          }
        }
      })
      same(
        { output: yield* numbers.ask({ values: finite.float32, flags: finite.bool }) },
        { output: finite.float32 }
      )
    }))

  it.live("sends its token", () =>
    Effect.gen(function*() {
      const token = Redacted.make("sesame")
      const others = Serve.http(services, { token }).pipe(Layer.provide(servicesLive(yield* makeWaiting)))
      const { url } = yield* serve({}, others)
      const echo = yield* connect(Echo, { url, token })
      same({ output: yield* echo.whole(vector(1)) }, { output: vector(1) })
      const refused = yield* Effect.flip(connect(Echo, { url }))
      assert.instanceOf(refused, ServiceError.ServiceError)
      assert.strictEqual(refused.reason._tag, "ContractMismatch")
      assert.include(refused.message, "401")
    }))

  it.live("fails as its models do, by their status", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const fate = yield* connect(Fate, { url })
      const expected: ReadonlyArray<readonly [keyof typeof fates, ServiceError.Reason["_tag"], string]> = [
        ["blurred", "InvalidPayload", "blurred by 2"],
        ["odd", "Unavailable", "500"],
        ["overloaded", "Overloaded", ""],
        ["unavailable", "Unavailable", "gone"],
        ["late", "DeadlineExceeded", ""],
        ["mismatch", "Unavailable", "another one"],
        ["refused", "InvalidPayload", "too dark"],
        ["defect", "Unavailable", "500"]
      ]
      for (const [name, tag, text] of expected) {
        const reason = yield* reasonOf(fate.end(how(fates[name])))
        assert.strictEqual(reason._tag, tag, name)
        assert.include(reason.message, text)
        if (reason._tag === "Overloaded") assert.strictEqual(Duration.toSeconds(reason.retryAfter), 2)
      }
    }))

  it.live("hands its deadline on", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serve()
      const fate = yield* connect(Fate, { url })
      const remaining = yield* fate.end(how(fates.remaining)).pipe(Deadline.within("2 seconds"))
      assert.isTrue(Number(remaining.data[0]) > 1000 && Number(remaining.data[0]) <= 2000)
      const late = yield* reasonOf(fate.end(how(fates.wait)).pipe(Deadline.within("100 millis")))
      assert.strictEqual(late._tag, "DeadlineExceeded")
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("interrupts the handler when its caller is interrupted", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serve()
      const fate = yield* connect(Fate, { url })
      const call = yield* Effect.forkChild(fate.end(how(fates.wait)))
      yield* Deferred.await(waiting.started)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("has 64 calls in flight that wait for each other", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const pair = yield* connect(Pair, { url })
      const meet = pair.meet({ count: Tensor.make("int32", [1], Int32Array.of(64)) })
      yield* Effect.all(Array.from({ length: 64 }, () => meet), { concurrency: "unbounded", discard: true })
    }))

  it.live("refuses a payload that does not fit before it is sent", () =>
    Effect.gen(function*() {
      const echo = yield* connect(Echo, { url: "http://127.0.0.1:1", verify: false })
      const reason = yield* reasonOf(echo.numbers({ ...finite, bool: Tensor.zeros("bool", [1, 3]) }))
      assert.strictEqual(reason._tag, "InvalidPayload")
    }))

  it.live("is a mistake of the program where a method has no tensors", () =>
    Effect.sync(() => {
      assert.throws(() => OpenInference.layer(Mixed, { url: "http://127.0.0.1:1" }), /test\/Mixed\.text/)
    }))
})

describe("the metadata of a model", () => {
  const withModel = (metadata: unknown, status = 200) =>
    answering((_, response) => response.writeHead(status).end(JSON.stringify(metadata)))

  class Scaler extends Model.Service<Scaler>()("iris/Scaler", [
    Rpc.make("scale", {
      payload: { features: Tensor.schema("float32", ["batch", 4]) },
      success: Tensor.schema("float32", ["batch", 2])
    })
  ]) {}

  const features = { name: "features", datatype: "FP32", shape: [-1, 4] }
  const output = { name: "output", datatype: "FP32", shape: [-1, 2] }

  const failureOf = (metadata: unknown, status?: number) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(connect(Scaler, { url: yield* withModel(metadata, status) }))
      return Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
    })

  it.live("is what the contract says, or open where that is not", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* failureOf({ inputs: [features], outputs: [output] }))
      assert.isUndefined(
        yield* failureOf({
          inputs: [{ ...features, shape: [-1, -1] }],
          outputs: [{ ...output, shape: [8, 2] }, { ...output, name: "more" }]
        })
      )
    }))

  it.live("names the tensor that differs in datatype, rank or size, is missing, or is one too many", () =>
    Effect.gen(function*() {
      const differences: ReadonlyArray<readonly [unknown, string, string | undefined, string | undefined]> = [
        [
          { inputs: [{ ...features, datatype: "FP64" }], outputs: [output] },
          "input features",
          "FP32[batch, 4]",
          "FP64[-1, 4]"
        ],
        [{ inputs: [{ ...features, shape: [4] }], outputs: [output] }, "input features", "FP32[batch, 4]", "FP32[4]"],
        [
          { inputs: [{ ...features, shape: [-1, 4, 1] }], outputs: [output] },
          "input features",
          "FP32[batch, 4]",
          "FP32[-1, 4, 1]"
        ],
        [
          { inputs: [{ ...features, shape: [-1, 5] }], outputs: [output] },
          "input features",
          "FP32[batch, 4]",
          "FP32[-1, 5]"
        ],
        [
          { inputs: [features], outputs: [{ ...output, shape: [-1, 3] }] },
          "output output",
          "FP32[batch, 2]",
          "FP32[-1, 3]"
        ],
        [{ inputs: [features], outputs: [{ ...output, name: "other" }] }, "output output", "FP32[batch, 2]", undefined],
        [
          { inputs: [features, { ...features, name: "more" }], outputs: [output] },
          "input more",
          undefined,
          "FP32[-1, 4]"
        ],
        ["nonsense", "input features", "FP32[batch, 4]", undefined],
        [{ inputs: [{ name: "features" }, null], outputs: 7 }, "input features", "FP32[batch, 4]", undefined]
      ]
      for (const [metadata, tensor, expected, actual] of differences) {
        const error = yield* failureOf(metadata)
        assert.instanceOf(error, OpenInference.ModelDiffers)
        assert.deepStrictEqual([error.tensor, error.expected, error.actual], [tensor, expected, actual])
        assert.include(error.message, tensor)
      }
    }))

  it.live("cannot be had from a server that lacks the model, or is not there", () =>
    Effect.gen(function*() {
      const unknown = yield* failureOf({ error: "no such model" }, 404)
      assert.instanceOf(unknown, ServiceError.ServiceError)
      assert.strictEqual(unknown.reason._tag, "ContractMismatch")
      assert.include(unknown.message, "no such model")
      const gone = yield* Effect.flip(connect(Scaler, { url: "http://127.0.0.1:1" }))
      assert.instanceOf(gone, ServiceError.ServiceError)
      assert.strictEqual(gone.reason._tag, "Unavailable")
    }))

  it.live("is followed by answers that are checked", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<string> = [
        "",
        "{",
        "[]",
        "{\"outputs\":[]}",
        "{\"outputs\":[{\"name\":\"output\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[1,2,3]}]}",
        "{\"outputs\":[{\"name\":\"output\",\"datatype\":\"FP64\",\"shape\":[1,2],\"data\":[1,2]}]}",
        "{\"outputs\":[{\"name\":\"output\",\"datatype\":\"FP32\",\"shape\":[9e14,2],\"data\":[1,2]}]}"
      ]
      for (const text of wrong) {
        const url = yield* answering((_, response) => response.end(text))
        const scaler = yield* connect(Scaler, { url, verify: false })
        const reason = yield* reasonOf(scaler.scale({ features: Tensor.zeros("float32", [1, 4]) }))
        assert.strictEqual(reason._tag, "ContractMismatch", text)
      }
    }))
})
