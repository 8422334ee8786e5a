import { assert, describe, it } from "@effect/vitest"
import { Metadata, status } from "@grpc/grpc-js"
import { Tensor } from "chorale"
import { Deferred, Effect, Exit, Layer, Redacted, Scope } from "effect"
import * as OpenInferenceGrpc from "../../src/grpc/OpenInferenceGrpc.ts"
import { ListenError } from "../../src/node/Socket.ts"
import { bytesOf } from "../openInference/http.ts"
import { fates, makeWaiting, services, servicesLive } from "../openInference/models.ts"
import { every } from "../openInference/roundTrip.ts"
import { connect, failureOf, serve } from "./peer.ts"

const end = (fate: number) => ({
  model_name: "test.Fate",
  inputs: [{ name: "how", datatype: "INT32", shape: [1], contents: { int_contents: [fate] } }]
})

const datatypes = {
  float32: "FP32",
  float64: "FP64",
  float16: "FP16",
  int8: "INT8",
  uint8: "UINT8",
  int16: "INT16",
  uint16: "UINT16",
  int32: "INT32",
  uint32: "UINT32",
  int64: "INT64",
  uint64: "UINT64",
  bool: "BOOL"
}

describe("a server over gRPC", () => {
  it.live("says of itself what it says over HTTP", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ name: "vision", version: "3" })
      const send = yield* connect(port)
      assert.deepStrictEqual(yield* Effect.promise(() => send("ServerLive", {}).promise), { live: true })
      assert.deepStrictEqual(yield* Effect.promise(() => send("ServerReady", {}).promise), { ready: true })
      assert.deepStrictEqual(yield* Effect.promise(() => send("ModelReady", { name: "test.Fate" }).promise), {
        ready: true
      })
      assert.deepStrictEqual(yield* Effect.promise(() => send("ModelReady", { name: "nothing" }).promise), {
        ready: false
      })
      const server = yield* Effect.promise(() => send("ServerMetadata", {}).promise)
      assert.deepStrictEqual([server.name, server.version], ["vision", "3"])
      const model = yield* Effect.promise(() =>
        send("ModelMetadata", { name: "test.Echo.image", version: "3" }).promise
      )
      assert.deepStrictEqual(model, {
        name: "test.Echo.image",
        versions: ["3"],
        platform: "chorale",
        inputs: [{ name: "pixels", datatype: "UINT8", shape: ["-1", "4", "3"] }],
        outputs: [{ name: "output", datatype: "UINT8", shape: [] }]
      })
    }))

  it.live("says that it serves to a health check", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ token: Redacted.make("sesame") })
      const send = yield* connect(port, "health")
      for (const service of ["", "inference.GRPCInferenceService"]) {
        const { status } = yield* Effect.promise(() => send("Check", { service }).promise)
        assert.strictEqual(status, 1)
      }
      assert.strictEqual(
        (yield* Effect.promise(() => failureOf(send("Check", { service: "x" })))).code,
        status.NOT_FOUND
      )
    }))

  it.live("gives raw tensors of every dtype back as they were", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const send = yield* connect(port)
      const tensors = Object.entries(every)
      const answer = yield* Effect.promise(() =>
        send("ModelInfer", {
          model_name: "test.Echo.every",
          id: "42",
          inputs: tensors.map(([name, { dtype, shape }]) => ({ name, datatype: datatypes[dtype], shape })),
          raw_input_contents: tensors.map(([, tensor]) => Buffer.from(Tensor.toBytes(tensor)))
        }).promise
      )
      assert.deepStrictEqual([answer.id, answer.model_name, answer.model_version], ["42", "test.Echo.every", ""])
      assert.strictEqual(answer.outputs.length, 12)
      answer.outputs.forEach(
        (output: { readonly name: keyof typeof every; readonly datatype: string }, index: number) => {
          const tensor = every[output.name]
          assert.strictEqual(output.datatype, datatypes[tensor.dtype])
          assert.isTrue(Buffer.from(Tensor.toBytes(tensor)).equals(answer.raw_output_contents[index]), output.name)
        }
      )
    }))

  it.live("takes elements in the field of their type, and gives them back so", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const send = yield* connect(port)
      const integers = yield* Effect.promise(() =>
        send("ModelInfer", {
          model_name: "test.Echo.integers",
          inputs: [
            {
              name: "uint64",
              datatype: "UINT64",
              shape: [2],
              contents: { uint64_contents: ["18446744073709551615", "9007199254740993"] }
            },
            {
              name: "int64",
              datatype: "INT64",
              shape: [2],
              contents: { int64_contents: ["-9223372036854775808", "9007199254740993"] }
            }
          ]
        }).promise
      )
      assert.deepStrictEqual(integers.raw_output_contents, [])
      assert.deepStrictEqual(integers.outputs[0].contents.int64_contents, ["-9223372036854775808", "9007199254740993"])
      assert.deepStrictEqual(integers.outputs[1].contents.uint64_contents, ["18446744073709551615", "9007199254740993"])
      const numbers = yield* Effect.promise(() =>
        send("ModelInfer", {
          model_name: "test.Echo.numbers",
          inputs: [
            { name: "float32", datatype: "FP32", shape: [2, 2], contents: { fp32_contents: [1.5, NaN, -0, Infinity] } },
            { name: "bool", datatype: "BOOL", shape: [1, 2], contents: { bool_contents: [true, false] } }
          ],
          outputs: [{ name: "bool" }, { name: "float32" }]
        }).promise
      )
      assert.deepStrictEqual(numbers.outputs.map((each: { name: string }) => each.name), ["bool", "float32"])
      assert.deepStrictEqual(numbers.outputs[0].contents.bool_contents, [true, false])
      assert.deepStrictEqual(numbers.outputs[1].contents.fp32_contents, [1.5, NaN, -0, Infinity])
      const image = yield* Effect.promise(() =>
        send("ModelInfer", {
          model_name: "test.Echo.image",
          inputs: [{ name: "pixels", datatype: "UINT8", shape: [0, 4, 3] }]
        }).promise
      )
      assert.deepStrictEqual(image.outputs[0].contents.uint_contents, [0])
    }))

  it.live("refuses what does not fit, and says what", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const send = yield* connect(port)
      const input = { name: "input", datatype: "FP32", shape: [2], contents: { fp32_contents: [1, 2] } }
      const whole = (...inputs: ReadonlyArray<object>) => ({ model_name: "test.Echo.whole", inputs })
      const wrong: ReadonlyArray<readonly [object, number, RegExp]> = [
        [{ model_name: "nothing" }, status.NOT_FOUND, /no model nothing/],
        [{ model_name: "test.Fate", model_version: "9" }, status.NOT_FOUND, /version 9/],
        [whole(), status.INVALID_ARGUMENT, /input input is missing/],
        [whole(input, input), status.INVALID_ARGUMENT, /twice/],
        [whole(input, { ...input, name: "other" }), status.INVALID_ARGUMENT, /no input other/],
        [whole({ ...input, shape: [3] }), status.INVALID_ARGUMENT, /2 elements.*3/],
        [whole({ ...input, shape: [-1] }), status.INVALID_ARGUMENT, /shape/],
        [whole({ ...input, shape: ["9007199254740991"] }), status.INVALID_ARGUMENT, /elements/],
        [whole({ ...input, shape: ["9223372036854775807"] }), status.INVALID_ARGUMENT, /shape/],
        [whole({ ...input, shape: [1, 2] }), status.INVALID_ARGUMENT, /shape \[n\], not \[1, 2\]/],
        [
          whole({ ...input, datatype: "BYTES", contents: { bytes_contents: [Buffer.from("x")] } }),
          status.INVALID_ARGUMENT,
          /strings/
        ],
        [whole({ ...input, datatype: "FP64" }), status.INVALID_ARGUMENT, /FP32, not FP64/],
        [{ ...whole(input), raw_input_contents: [Buffer.alloc(8)] }, status.INVALID_ARGUMENT, /both/],
        [
          { ...whole({ ...input, contents: undefined }), raw_input_contents: [Buffer.alloc(7)] },
          status.INVALID_ARGUMENT,
          /takes 8 bytes, not 7/
        ],
        [
          { ...whole({ ...input, contents: undefined }), raw_input_contents: [Buffer.alloc(8), Buffer.alloc(8)] },
          status.INVALID_ARGUMENT,
          /raw contents of 2/
        ],
        [{ ...whole(input), outputs: [{ name: "other" }] }, status.INVALID_ARGUMENT, /no output other/],
        [{ ...whole(input), outputs: [{ name: "output" }, { name: "output" }] }, status.INVALID_ARGUMENT, /twice/],
        [
          {
            model_name: "test.Echo.image",
            inputs: [{
              name: "pixels",
              datatype: "UINT8",
              shape: [1, 4, 3],
              contents: { uint_contents: new Array(12).fill(256) }
            }]
          },
          status.INVALID_ARGUMENT,
          /256/
        ]
      ]
      for (const [request, code, text] of wrong) {
        const failure = yield* Effect.promise(() => failureOf(send("ModelInfer", request)))
        assert.strictEqual(failure.code, code, failure.details)
        assert.match(failure.details, text)
      }
    }))

  it.live("tells the failures of a model by their codes", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const send = yield* connect(port)
      const expected: ReadonlyArray<readonly [keyof typeof fates, number, string]> = [
        ["blurred", status.INVALID_ARGUMENT, "blurred by 2"],
        ["odd", status.INTERNAL, "Odd"],
        ["overloaded", status.RESOURCE_EXHAUSTED, "limit"],
        ["unavailable", status.UNAVAILABLE, "gone"],
        ["late", status.DEADLINE_EXCEEDED, "deadline"],
        ["mismatch", status.FAILED_PRECONDITION, "another one"],
        ["refused", status.INVALID_ARGUMENT, "too dark"],
        ["defect", status.INTERNAL, "does not declare"]
      ]
      for (const [fate, code, text] of expected) {
        const failure = yield* Effect.promise(() => failureOf(send("ModelInfer", end(fates[fate]))))
        assert.strictEqual(failure.code, code, fate)
        assert.include(failure.details, text)
        if (fate === "overloaded") assert.deepStrictEqual(failure.metadata.get("retry-after"), ["2"])
      }
    }))

  it.live("keeps to the deadline of its caller, or its own", () =>
    Effect.gen(function*() {
      const { port, waiting } = yield* serve({ timeout: "5 seconds" })
      const send = yield* connect(port)
      const remaining = (deadline?: number) =>
        Effect.promise(() =>
          send("ModelInfer", end(fates.remaining), deadline === undefined ? {} : { deadline }).promise
        ).pipe(
          Effect.map((answer) => Number(answer.outputs[0].contents.fp32_contents[0]))
        )
      const given = yield* remaining(Date.now() + 2000)
      assert.isTrue(given > 1000 && given <= 2000, String(given))
      const own = yield* remaining()
      assert.isTrue(own > 3000 && own <= 5000, String(own))
      const late = yield* Effect.promise(() =>
        failureOf(send("ModelInfer", end(fates.wait), { deadline: Date.now() + 100 }))
      )
      assert.strictEqual(late.code, status.DEADLINE_EXCEEDED)
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("interrupts a call that is cancelled", () =>
    Effect.gen(function*() {
      const { port, waiting } = yield* serve()
      const send = yield* connect(port)
      const call = send("ModelInfer", end(fates.wait))
      yield* Deferred.await(waiting.started)
      call.cancel()
      yield* Deferred.await(waiting.interrupted)
      assert.strictEqual((yield* Effect.promise(() => failureOf(call))).code, status.CANCELLED)
    }))

  it.live("has 64 calls in flight that wait for each other", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const send = yield* connect(port)
      const request = {
        model_name: "test.Pair",
        inputs: [{ name: "count", datatype: "INT32", shape: [1] }],
        raw_input_contents: [Buffer.from(bytesOf(Int32Array.of(64)))]
      }
      const answers = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 64 }, () => send("ModelInfer", request).promise))
      )
      assert.strictEqual(answers.length, 64)
    }))

  it.live("refuses calls beyond its limit at once, and messages beyond theirs", () =>
    Effect.gen(function*() {
      const { port, waiting } = yield* serve({ concurrency: 1, maxMessageSize: "1 KiB" })
      const send = yield* connect(port)
      const call = send("ModelInfer", end(fates.wait))
      yield* Deferred.await(waiting.started)
      const refused = yield* Effect.promise(() => failureOf(send("ModelInfer", end(fates.nan))))
      assert.strictEqual(refused.code, status.RESOURCE_EXHAUSTED)
      assert.deepStrictEqual(refused.metadata.get("retry-after"), ["1"])
      call.cancel()
      yield* Deferred.await(waiting.interrupted)
      const large = yield* Effect.promise(() => failureOf(send("ModelInfer", { id: "x".repeat(2000) })))
      assert.strictEqual(large.code, status.RESOURCE_EXHAUSTED)
      yield* Effect.promise(() => send("ModelInfer", end(fates.nan)).promise)
    }))

  it.live("asks for its token", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ token: Redacted.make("sesame") })
      const send = yield* connect(port)
      const metadata = new Metadata()
      metadata.set("authorization", "Bearer sesame")
      yield* Effect.promise(() => send("ServerLive", {}, { metadata }).promise)
      metadata.set("authorization", "Bearer sesam")
      for (const options of [{}, { metadata }]) {
        assert.strictEqual(
          (yield* Effect.promise(() => failureOf(send("ServerLive", {}, options)))).code,
          status.UNAUTHENTICATED
        )
      }
    }))

  it.live("lets calls end that run when it stops, and interrupts those that do not", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { port, waiting } = yield* Scope.provide(serve({ gracefulShutdownTimeout: "200 millis" }), scope)
      const send = yield* connect(port)
      const call = send("ModelInfer", end(fates.wait))
      yield* Deferred.await(waiting.started)
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.await(waiting.interrupted)
      assert.strictEqual((yield* Effect.promise(() => failureOf(call))).code, status.UNAVAILABLE)
    }))

  it.live("that cannot listen says so", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const layer = OpenInferenceGrpc.layerServer(services, { port }).pipe(
        Layer.provide(servicesLive(yield* makeWaiting))
      )
      const error = yield* Effect.flip(Layer.build(layer))
      assert.instanceOf(error, ListenError)
      assert.strictEqual(error.reason, "AddressInUse")
    }))
})
