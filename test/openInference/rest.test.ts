import { assert, describe, it } from "@effect/vitest"
import { Serve } from "chorale"
import { Deferred, Effect, Fiber, Layer, Redacted } from "effect"
import * as Zlib from "node:zlib"
import { binary, bytesOf, infer, inferBinary, jsonOf, partsOf, send } from "./http.ts"
import { fates, serve, services, servicesLive } from "./models.ts"

const int32 = (...data: ReadonlyArray<number>) => ({ name: "how", shape: [data.length], datatype: "INT32", data })

describe("what a server says of itself", () => {
  it.live("is its name and extensions, that it lives and is ready, and its models", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ name: "vision", version: "7" })
      for (const path of ["/v2", "/v2/"]) {
        assert.deepStrictEqual(jsonOf(yield* send(url + path)), {
          name: "vision",
          version: "7",
          extensions: ["binary_tensor_data"]
        })
      }
      assert.deepStrictEqual(jsonOf(yield* send(`${url}/v2/health/live`)), { live: true })
      assert.deepStrictEqual(jsonOf(yield* send(`${url}/v2/health/ready`)), { ready: true })
      assert.deepStrictEqual(jsonOf(yield* send(`${url}/v2/models`)).models, [
        "test.Echo.whole",
        "test.Echo.integers",
        "test.Echo.numbers",
        "test.Echo.every",
        "test.Echo.optional",
        "test.Echo.image",
        "test.Fate",
        "test.Pair",
        "test.Mixed.tensor"
      ])
    }))

  it.live("has of a model its tensors, with -1 for what has a name", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      assert.deepStrictEqual(jsonOf(yield* send(`${url}/v2/models/test.Echo.image`)), {
        name: "test.Echo.image",
        platform: "chorale",
        inputs: [{ name: "pixels", datatype: "UINT8", shape: [-1, 4, 3] }],
        outputs: [{ name: "output", datatype: "UINT8", shape: [] }]
      })
      assert.deepStrictEqual(
        jsonOf(yield* send(`${url}/v2/models/test.Echo.every`)).inputs.map((each: { datatype: string }) =>
          each.datatype
        ),
        ["FP32", "FP64", "FP16", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "BOOL"]
      )
      assert.deepStrictEqual(jsonOf(yield* send(`${url}/v2/models/test.Fate/ready`)), {
        name: "test.Fate",
        ready: true
      })
    }))

  it.live("is that it has a version only where it was given one", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      assert.strictEqual((yield* send(`${url}/v2/models/test.Fate/versions/1`)).status, 404)
      const versioned = (yield* serve({ version: "2024-b" })).url
      const metadata = jsonOf(yield* send(`${versioned}/v2/models/test.Fate/versions/2024-b`))
      assert.deepStrictEqual(metadata.versions, ["2024-b"])
      assert.strictEqual((yield* send(`${versioned}/v2/models/test.Fate/versions/2024-b/ready`)).status, 200)
      const inputs = [{ name: "input", shape: [1], datatype: "FP32", data: [1] }]
      const answer = jsonOf(yield* infer(versioned, "test.Echo.whole/versions/2024-b", { inputs }))
      assert.strictEqual(answer.model_version, "2024-b")
      assert.notProperty(jsonOf(yield* infer(url, "test.Echo.whole", { inputs })), "model_version")
      const other = yield* send(`${versioned}/v2/models/test.Fate/versions/3`)
      assert.deepStrictEqual([other.status, jsonOf(other).error.includes("version 3 of test.Fate")], [404, true])
    }))

  it.live("names what there is where a model, a path or a verb is wrong", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      for (const path of ["/v2/models/nothing", "/v2/models/%2e%2e%2f", "/v2/models/x/ready"]) {
        const answer = yield* send(url + path)
        assert.strictEqual(answer.status, 404, path)
        assert.include(jsonOf(answer).error, "test.Echo.whole")
      }
      assert.strictEqual((yield* infer(url, "nothing", { inputs: [] })).status, 404)
      assert.strictEqual((yield* send(`${url}/v2/nothing`)).status, 404)
      assert.strictEqual((yield* send(`${url}/v2/models/test.Fate/infer/more`)).status, 404)
      const get = yield* send(`${url}/v2/models/test.Fate/infer`)
      assert.deepStrictEqual([get.status, get.headers.get("allow")], [405, "POST"])
      assert.property(jsonOf(get), "error")
      const post = yield* send(`${url}/v2/health/live`, { method: "POST" })
      assert.deepStrictEqual([post.status, post.headers.get("allow")], [405, "GET"])
    }))
})

describe("inference in JSON", () => {
  it.live("takes several inputs in any order, flat and nested, and gives the id back", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const answer = yield* infer(url, "test.Echo.numbers", {
        id: "42",
        parameters: { anything: 1 },
        inputs: [
          { name: "bool", shape: [2, 2], datatype: "BOOL", data: [true, false, true, true] },
          { name: "float32", shape: [2, 2], datatype: "FP32", data: [[1, 2.5], [-3, 0]] }
        ]
      })
      assert.strictEqual(answer.headers.get("content-type"), "application/json")
      assert.isNull(answer.headers.get("inference-header-content-length"))
      assert.deepStrictEqual(jsonOf(answer), {
        model_name: "test.Echo.numbers",
        id: "42",
        outputs: [
          { name: "float32", shape: [2, 2], datatype: "FP32", data: [1, 2.5, -3, 0] },
          { name: "bool", shape: [2, 2], datatype: "BOOL", data: [true, false, true, true] }
        ]
      })
    }))

  it.live("gives the outputs that were asked for, in their order", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const inputs = [
        { name: "bool", shape: [1, 2], datatype: "BOOL", data: [1, 0] },
        { name: "float32", shape: [1, 2], datatype: "FP32", data: [1, 2] }
      ]
      const namesOf = (outputs: ReadonlyArray<string>) =>
        Effect.map(
          infer(url, "test.Echo.numbers", { inputs, outputs: outputs.map((name) => ({ name })) }),
          (answer) => jsonOf(answer).outputs.map((each: { name: string }) => each.name)
        )
      assert.deepStrictEqual(yield* namesOf(["bool", "float32"]), ["bool", "float32"])
      assert.deepStrictEqual(yield* namesOf(["bool"]), ["bool"])
      assert.deepStrictEqual(yield* namesOf([]), ["float32", "bool"])
    }))

  it.live("keeps every digit of integers of 64 bits, both ways", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const signed = "[-9223372036854775808,9223372036854775807,9007199254740993]"
      const unsigned = "[0,18446744073709551615,9007199254740993]"
      const answer = yield* infer(
        url,
        "test.Echo.integers",
        `{"inputs":[{"name":"int64","shape":[3],"datatype":"INT64","data":${signed}},` +
          `{"name":"uint64","shape":[3],"datatype":"UINT64","data":${unsigned}}]}`
      )
      assert.include(answer.body.toString(), `"data":${signed}`)
      assert.include(answer.body.toString(), `"data":${unsigned}`)
      for (const wrong of ["9223372036854775808", "1.5", "1e19", "-9223372036854775809", "\"1\""]) {
        const refused = yield* infer(
          url,
          "test.Echo.integers",
          `{"inputs":[{"name":"int64","shape":[1],"datatype":"INT64","data":[${wrong}]},` +
            `{"name":"uint64","shape":[1],"datatype":"UINT64","data":[0]}]}`
        )
        assert.strictEqual(refused.status, 400, wrong)
      }
    }))

  it.live("tells zero from minus zero", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const answer = yield* infer(
        url,
        "test.Echo.whole",
        "{\"inputs\":[{\"name\":\"input\",\"shape\":[2],\"datatype\":\"FP32\",\"data\":[-0,0.0]}]}"
      )
      assert.deepStrictEqual(jsonOf(answer).outputs[0].data, [-0, 0])
    }))

  it.live("does not look at the content type, which clients send as they like", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const inputs = [{ name: "input", shape: [1], datatype: "FP32", data: [1] }]
      for (const type of ["application/octet-stream", "application/x-www-form-urlencoded", "text/plain"]) {
        assert.strictEqual((yield* infer(url, "test.Echo.whole", { inputs }, { "content-type": type })).status, 200)
      }
    }))

  it.live("takes a payload without what is optional in it", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const first = { name: "first", shape: [1], datatype: "FP32", data: [1] }
      const one = jsonOf(yield* infer(url, "test.Echo.optional", { inputs: [first] }))
      assert.deepStrictEqual(one.outputs.map((each: { name: string }) => each.name), ["first"])
      const both = jsonOf(yield* infer(url, "test.Echo.optional", { inputs: [{ ...first, name: "second" }, first] }))
      assert.deepStrictEqual(both.outputs.map((each: { name: string }) => each.name), ["first", "second"])
      assert.strictEqual(
        (yield* infer(url, "test.Echo.optional", { inputs: [{ ...first, name: "second" }] })).status,
        400
      )
    }))

  it.live("says what JSON cannot carry, and which datatypes there are not", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const nan = yield* infer(url, "test.Fate", { inputs: [int32(fates.nan)] })
      assert.deepStrictEqual([nan.status, /NaN.*binary/.test(jsonOf(nan).error)], [400, true])
      for (const datatype of ["BYTES", "BF16", "fp32", "FLOAT"]) {
        const inputs = [{ name: "input", shape: [1], datatype, data: ["x"] }]
        const refused = yield* infer(url, "test.Echo.whole", { inputs })
        assert.strictEqual(refused.status, 400)
        assert.include(jsonOf(refused).error, `input input has datatype FP32, not ${datatype}`)
      }
      const strings = yield* infer(url, "test.Echo.whole", {
        inputs: [{ name: "input", shape: [1], datatype: "BYTES", data: ["x"] }]
      })
      assert.include(jsonOf(strings).error, "tensors of strings are not supported")
    }))
})

describe("inference in binary", () => {
  const elements = Float32Array.of(1, NaN, -0, Infinity)

  it.live("carries tensors behind the JSON in both directions", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const answer = yield* inferBinary(
        url,
        "test.Echo.whole",
        {
          id: "b",
          inputs: [{ name: "input", shape: [4], datatype: "FP32", parameters: { binary_data_size: 16 } }],
          outputs: [{ name: "output", parameters: { binary_data: true } }]
        },
        bytesOf(elements)
      )
      assert.strictEqual(answer.headers.get("content-type"), "application/octet-stream")
      assert.strictEqual(answer.headers.get("content-length"), String(answer.body.byteLength))
      const { json, length, tensors } = partsOf(answer)
      assert.strictEqual(length % 8, 0)
      assert.deepStrictEqual(json, {
        model_name: "test.Echo.whole",
        id: "b",
        outputs: [{ name: "output", shape: [4], datatype: "FP32", parameters: { binary_data_size: 16 } }]
      })
      assert.deepStrictEqual(new Float32Array(Uint8Array.from(tensors).buffer), elements)
    }))

  it.live("reads what begins at any byte", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      for (let padding = 0; padding < 8; padding++) {
        const inputs = [{ name: "input", shape: [4], datatype: "FP32", parameters: { binary_data_size: 16 } }]
        const request = { id: "x".repeat(padding), inputs, parameters: { binary_data_output: true } }
        const { tensors } = partsOf(yield* inferBinary(url, "test.Echo.whole", request, bytesOf(elements)))
        assert.deepStrictEqual(new Float32Array(Uint8Array.from(tensors).buffer), elements)
      }
    }))

  it.live("has all of the bytes that follow, and no others", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const input = { name: "input", shape: [4], datatype: "FP32", parameters: { binary_data_size: 16 } }
      for (const length of [0, 15, 17, 32]) {
        const answer = yield* inferBinary(url, "test.Echo.whole", { inputs: [input] }, new Uint8Array(length))
        assert.strictEqual(answer.status, 400, String(length))
        assert.include(jsonOf(answer).error, String(length))
      }
      const json = { inputs: [{ name: "input", shape: [1], datatype: "FP32", data: [1] }] }
      assert.strictEqual((yield* inferBinary(url, "test.Echo.whole", json, new Uint8Array(1))).status, 400)
      assert.strictEqual((yield* inferBinary(url, "test.Echo.whole", json)).status, 200)
    }))

  it.live("mixes with JSON, each tensor as it says", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const answer = yield* inferBinary(
        url,
        "test.Echo.numbers",
        {
          parameters: { binary_data_output: true },
          inputs: [
            { name: "bool", shape: [1, 2], datatype: "BOOL", parameters: { binary_data_size: 2 } },
            { name: "float32", shape: [1, 2], datatype: "FP32", data: [1, 2] }
          ],
          outputs: [{ name: "float32", parameters: { binary_data: false } }, { name: "bool" }]
        },
        Uint8Array.of(1, 0)
      )
      const { json, tensors } = partsOf(answer)
      assert.deepStrictEqual(json.outputs[0].data, [1, 2])
      assert.deepStrictEqual(Array.from(tensors), [1, 0])
    }))

  it.live("takes FP16, which has no other form", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const sizes = {
        FP32: 4,
        FP64: 8,
        FP16: 2,
        INT8: 1,
        UINT8: 1,
        INT16: 2,
        UINT16: 2,
        INT32: 4,
        UINT32: 4,
        INT64: 8,
        UINT64: 8,
        BOOL: 1
      }
      const names = [
        "float32",
        "float64",
        "float16",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "bool"
      ]
      const inputs = Object.entries(sizes).map(([datatype, size], index) => ({
        name: names[index],
        shape: [1, 2],
        datatype,
        parameters: { binary_data_size: 2 * size }
      }))
      const bytes = Buffer.from(Array.from({ length: 90 }, (_, index) => index % 2))
      const request = { inputs, parameters: { binary_data_output: true } }
      const answer = yield* inferBinary(url, "test.Echo.every", request, bytes)
      assert.deepStrictEqual(Buffer.from(partsOf(answer).tensors), bytes)
      const asJson = yield* inferBinary(url, "test.Echo.every", { inputs }, bytes)
      assert.deepStrictEqual([asJson.status, jsonOf(asJson).error.includes("FP16")], [400, true])
    }))

  it.live("takes the bytes of the one input alone, where the shape follows from their number", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const raw = (model: string, body: Uint8Array<ArrayBuffer>) =>
        send(`${url}/v2/models/${model}/infer`, {
          method: "POST",
          headers: { "inference-header-content-length": "0" },
          body
        })
      const { json, tensors } = partsOf(yield* raw("test.Echo.image", new Uint8Array(24)))
      assert.deepStrictEqual([json.outputs[0].shape, tensors[0]], [[], 2])
      assert.strictEqual((yield* raw("test.Echo.image", new Uint8Array(25))).status, 400)
      assert.strictEqual((yield* raw("test.Echo.numbers", new Uint8Array(24))).status, 400)
    }))
})

describe("a request that is compressed", () => {
  const compressed = (url: string, encoding: string, body: Uint8Array<ArrayBuffer>, headerLength: number) =>
    send(`${url}/v2/models/test.Echo.whole/infer`, {
      method: "POST",
      headers: { "content-encoding": encoding, "inference-header-content-length": String(headerLength) },
      body
    })

  it.live("is read as it was before, where that is within the limit", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ maxBodySize: "64 KiB" })
      const message = (length: number) => {
        const parameters = { binary_data_size: 4 * length }
        const inputs = [{ name: "input", shape: [length], datatype: "FP32", parameters }]
        return binary({ inputs, parameters: { binary_data_output: true } }, new Uint8Array(4 * length))
      }
      for (const [encoding, compress] of [["gzip", Zlib.gzipSync], ["deflate", Zlib.deflateSync]] as const) {
        const { body, headerLength } = message(1000)
        // The header says how long the JSON was before.
        const answer = yield* compressed(url, encoding, Uint8Array.from(compress(body)), headerLength)
        assert.deepStrictEqual([answer.status, partsOf(answer).tensors.byteLength], [200, 4000])
        const large = message(1_000_000)
        const bomb = yield* compressed(url, encoding, Uint8Array.from(compress(large.body)), large.headerLength)
        assert.strictEqual(bomb.status, 413)
        assert.strictEqual((yield* compressed(url, encoding, Uint8Array.of(1, 2, 3), headerLength)).status, 400)
      }
      const { body, headerLength } = message(1)
      const other = yield* compressed(url, "br", Uint8Array.from(Zlib.brotliCompressSync(body)), headerLength)
      assert.strictEqual(other.status, 415)
      assert.include(jsonOf(other).error, "gzip or deflate")
    }))
})

describe("a call that fails", () => {
  it.live("has the status of its failure, and says the rest in a sentence", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const statusOf = (how: number) => infer(url, "test.Fate", { inputs: [int32(how)] })
      const expected: ReadonlyArray<readonly [keyof typeof fates, number, string]> = [
        ["blurred", 422, "blurred by 2"],
        ["odd", 500, "Odd"],
        ["overloaded", 429, "at its limit"],
        ["unavailable", 503, "gone"],
        ["late", 504, "deadline"],
        ["mismatch", 502, "another one"],
        ["refused", 400, "too dark"],
        ["defect", 500, "does not declare"]
      ]
      for (const [how, status, text] of expected) {
        const answer = yield* statusOf(fates[how])
        assert.strictEqual(answer.status, status, how)
        assert.deepStrictEqual(Object.keys(jsonOf(answer)), ["error"])
        assert.include(jsonOf(answer).error, text)
        assert.notInclude(answer.body.toString(), "/secret/path")
      }
      assert.strictEqual((yield* statusOf(fates.overloaded)).headers.get("retry-after"), "2")
      assert.strictEqual((yield* statusOf(fates.unavailable)).headers.get("retry-after"), "1")
    }))

  it.live("keeps to the deadline of its request, or of the server", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ timeout: "5 seconds" })
      const remaining = (headers: Readonly<Record<string, string>>) =>
        Effect.map(
          infer(url, "test.Fate", { inputs: [int32(fates.remaining)] }, headers),
          (answer) => Number(jsonOf(answer).outputs[0].data[0])
        )
      const given = yield* remaining({ "chorale-deadline": "2000" })
      assert.isTrue(given > 1000 && given <= 2000, String(given))
      const left = yield* remaining({})
      assert.isTrue(left > 3000 && left <= 5000, String(left))
      const late = yield* infer(url, "test.Fate", { inputs: [int32(fates.wait)] }, { "chorale-deadline": "50" })
      assert.strictEqual(late.status, 504)
      const odd = yield* infer(url, "test.Fate", { inputs: [int32(fates.wait)] }, { "chorale-deadline": "soon" })
      assert.strictEqual(odd.status, 400)
    }))

  it.live("is interrupted when its client goes away", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serve()
      const call = yield* Effect.forkChild(infer(url, "test.Fate", { inputs: [int32(fates.wait)] }))
      yield* Deferred.await(waiting.started)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(waiting.interrupted)
    }))

  it.live("does not disturb 63 others in flight", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const meet = infer(url, "test.Pair", { inputs: [{ name: "count", shape: [1], datatype: "INT32", data: [63] }] })
      const calls = Array.from({ length: 64 }, (_, index) =>
        index === 20 ? infer(url, "test.Fate", { inputs: [int32(fates.defect)] }) : meet)
      const statuses = (yield* Effect.all(calls, { concurrency: "unbounded" })).map(({ status }) =>
        status
      )
      assert.deepStrictEqual(statuses.filter((status) => status !== 200), [500])
    }))
})

describe("beside the other routes of a server", () => {
  it.live("its token, its limits and its metrics hold", () =>
    Effect.gen(function*() {
      const { waiting } = yield* serve()
      const others = Serve.http(services, { token: Redacted.make("sesame"), maxBodySize: "1 KiB" }).pipe(
        Layer.provide(servicesLive(waiting))
      )
      const { url } = yield* serve({}, others)
      assert.strictEqual((yield* send(`${url}/v2/health/live`)).status, 401)
      const authorization = "Bearer sesame"
      assert.strictEqual((yield* send(`${url}/v2/health/live`, { headers: { authorization } })).status, 200)
      const inputs = [{ name: "input", shape: [1000], datatype: "FP32", data: new Array(1000).fill(1) }]
      const large = yield* infer(url, "test.Echo.whole", { inputs }, { authorization })
      assert.strictEqual(large.status, 413)
      assert.property(jsonOf(large), "error")
    }))

  it.live("a body has a limit of its own where the server has none", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ maxBodySize: "1 KiB" })
      assert.strictEqual((yield* infer(url, "test.Echo.whole", " ".repeat(1025))).status, 413)
      assert.strictEqual((yield* infer(url, "test.Echo.whole", " ".repeat(1024))).status, 400)
    }))
})
