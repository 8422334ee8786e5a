import Undici from "@effect/platform-node/Undici"
import { Tensor } from "chorale"
import { Effect } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, interleave, inTurns, medianMillis, ratioAtMost } from "./benchmark.ts"
import { start } from "./child.ts"
import { pinToOneCore } from "./pin.ts"
import type { Server } from "./remote/contracts.ts"

/** 1x3x224x224: a picture as most image classifiers take it, 602 kB. */
const elements = 150_528

/** What the Open Inference Protocol adds to the bytes of a tensor, for a client of its own. */
export const oipBinary602k: Benchmark = {
  name: "oip/binary-602k",
  measures: "p50 of an inference with 602 kB of binary tensor and the same back, over the same bytes by node:http",
  unit: "µs",
  target: ratioAtMost(1.6),
  run: Effect.fnUntraced(function*() {
    pinToOneCore()
    const ours = yield* pool(yield* start<Server>(new URL("./oip/ours.ts", import.meta.url)))
    const bare = yield* pool(yield* start<Server>(new URL("./remote/bare.ts", import.meta.url)))
    const tensor = Tensor.make("float32", [elements], Float32Array.from({ length: elements }, (_, index) => index))
    const bytes = Tensor.toBytes(tensor)
    const infer = inferenceOf(ours, bytes)
    const post = async () => {
      const headers = { "content-type": "application/octet-stream" }
      const { body } = await bare.request({ method: "POST", path: "/", headers, body: bytes })
      return new Float32Array(await body.arrayBuffer())
    }
    deepStrictEqual(yield* Effect.promise(infer), tensor.data)
    deepStrictEqual(yield* Effect.promise(post), tensor.data)
    const micros = (call: () => Promise<unknown>) =>
      Effect.map(medianMillis(40, () => Effect.promise(call)), (millis) => millis * 1000)
    const samples = yield* interleave({ ours: micros(infer), bare: micros(post) }, { rounds: 21, warmup: 4 })
    return inTurns(samples.ours, samples.bare)
  }, Effect.orDie)
}

const pool = Effect.fnUntraced(function*(server: (name: "url", payload: undefined) => Effect.Effect<string, Error>) {
  const url = yield* server("url", undefined)
  return yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Pool(url)),
    (pool) => Effect.promise(() => pool.close())
  )
})

/** Sends what any client of the protocol sends, and reads the tensor behind the JSON of the answer. */
const inferenceOf = (server: InstanceType<typeof Undici.Pool>, bytes: Uint8Array) => {
  const parameters = { binary_data_size: bytes.byteLength }
  const json = JSON.stringify({
    inputs: [{ name: "tensor", shape: [elements], datatype: "FP32", parameters }],
    outputs: [{ name: "output", parameters: { binary_data: true } }]
  })
  const header = Buffer.from(json)
  const request = {
    method: "POST",
    path: "/v2/models/bench.RemoteEcho.tensor/infer",
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(header.byteLength)
    },
    body: Buffer.concat([header, bytes])
  } as const
  return async () => {
    const { body, headers } = await server.request(request)
    return new Float32Array(await body.arrayBuffer(), Number(headers["inference-header-content-length"]))
  }
}
