import { NodeHttpClient } from "@effect/platform-node"
import Undici from "@effect/platform-node/Undici"
import { Remote, Tensor } from "chorale"
import { Effect, Layer } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, interleave, medianMillis, series } from "./benchmark.ts"
import { start } from "./child.ts"
import { Echo, type Server } from "./remote/contracts.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

/** 1x3x224x224: a picture as most image classifiers take it, 602 kB. */
const elements = 150_528

/** What the library adds to a small call over HTTP. */
export const httpCall: Benchmark = {
  name: "remote/http-call",
  measures: "p50 of a call with 6 fields and the same back through Remote.layerHttp, over node:http and undici",
  unit: "µs",
  target: null,
  run: Effect.fnUntraced(function*() {
    const { echo, post } = yield* clients
    const bare = async () => JSON.parse(await (await post("application/json", JSON.stringify(record))).text())
    deepStrictEqual(yield* echo.json(record), record)
    deepStrictEqual(yield* Effect.promise(bare), record)
    return yield* compare(300, () => echo.json(record), bare)
  }, Effect.orDie)
}

/** What the library adds to the bytes of a tensor over HTTP. */
export const httpTensor: Benchmark = {
  name: "remote/http-tensor",
  measures: "p50 of a call with 602 kB of tensor and the same back through Remote.layerHttp, over node:http and undici",
  unit: "µs",
  target: null,
  run: Effect.fnUntraced(function*() {
    const { echo, post } = yield* clients
    const tensor = Tensor.make("float32", [elements], Float32Array.from({ length: elements }, (_, index) => index))
    const bytes = Tensor.toBytes(tensor)
    const bare = async () => new Float32Array(await (await post("application/octet-stream", bytes)).arrayBuffer())
    deepStrictEqual((yield* echo.tensor({ tensor })).data, tensor.data)
    deepStrictEqual(yield* Effect.promise(bare), tensor.data)
    return yield* compare(40, () => echo.tensor({ tensor }), bare)
  }, Effect.orDie)
}

const compare = <A, E>(calls: number, ours: () => Effect.Effect<A, E>, bare: () => Promise<unknown>) => {
  const micros = (call: () => Effect.Effect<unknown, E>) =>
    Effect.map(medianMillis(calls, call), (millis) => millis * 1000)
  return interleave({
    ours: micros(ours),
    bare: micros(() => Effect.promise(bare))
  }, { rounds: 25, warmup: 4 }).pipe(
    Effect.map((samples) => ({ value: series(samples.ours), baseline: series(samples.bare), notes: [] }))
  )
}

/** A client of our server and one of a bare server, each server in a process of its own. */
const clients = Effect.gen(function*() {
  const ours = yield* start<Server>(new URL("./remote/ours.ts", import.meta.url))
  const bare = yield* start<Server>(new URL("./remote/bare.ts", import.meta.url))
  const remote = Remote.layerHttp(Echo, { url: yield* ours("url", undefined) }).pipe(
    Layer.provide(NodeHttpClient.layerUndici)
  )
  const echo = yield* Effect.provideContext(Echo, yield* Layer.build(remote))
  const url = yield* bare("url", undefined)
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Pool(url)),
    (pool) => Effect.promise(() => pool.close())
  )
  const post = async (type: string, body: string | Uint8Array) => {
    const response = await pool.request({ method: "POST", path: "/", headers: { "content-type": type }, body })
    return response.body
  }
  return { echo, post }
})
