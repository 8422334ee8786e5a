import { NodeHttpClient } from "@effect/platform-node"
import Undici from "@effect/platform-node/Undici"
import { Remote, Tensor } from "chorale"
import { Http } from "chorale/node"
import { Context, Effect, Layer } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, describe, interleave, inTurns, medianMillis, ratioAtMost } from "./benchmark.ts"
import { start } from "./child.ts"
import { pinToOneCore } from "./pin.ts"
import { Echo, type Server } from "./remote/contracts.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

/** 1x3x224x224: a picture as most image classifiers take it, 602 kB. */
const elements = 150_528

/** What the library adds to a small call over HTTP. */
export const httpSmall: Benchmark = {
  name: "hop/http-small",
  measures: "p50 of a call with 6 fields and the same back through Http.layerClient, over node:http and undici",
  unit: "µs",
  target: ratioAtMost(3.5),
  run: Effect.fnUntraced(function*() {
    const { generic, node, post } = yield* clients
    const bare = async () => JSON.parse(await (await post("application/json", JSON.stringify(record))).text())
    deepStrictEqual(yield* node.json(record), record)
    deepStrictEqual(yield* Effect.promise(bare), record)
    return yield* compare(300, { node: () => node.json(record), generic: () => generic.json(record), bare })
  }, Effect.orDie)
}

/** What the library adds to the bytes of a tensor over HTTP. */
export const http600k: Benchmark = {
  name: "hop/http-600k",
  measures: "p50 of a call with 602 kB of tensor and the same back through Http.layerClient, over node:http and undici",
  unit: "µs",
  target: ratioAtMost(1.8),
  run: Effect.fnUntraced(function*() {
    const { generic, node, post } = yield* clients
    const tensor = Tensor.make("float32", [elements], Float32Array.from({ length: elements }, (_, index) => index))
    const bytes = Tensor.toBytes(tensor)
    const bare = async () => new Float32Array(await (await post("application/octet-stream", bytes)).arrayBuffer())
    deepStrictEqual((yield* node.tensor({ tensor })).data, tensor.data)
    deepStrictEqual(yield* Effect.promise(bare), tensor.data)
    return yield* compare(40, {
      node: () => node.tensor({ tensor }),
      generic: () => generic.tensor({ tensor }),
      bare
    })
  }, Effect.orDie)
}

const compare = <A, E>(
  calls: number,
  sides: {
    readonly node: () => Effect.Effect<A, E>
    readonly generic: () => Effect.Effect<A, E>
    readonly bare: () => Promise<unknown>
  }
) => {
  const micros = (call: () => Effect.Effect<unknown, E>) =>
    Effect.withTracerEnabled(Effect.map(medianMillis(calls, call), (millis) => millis * 1000), false)
  return interleave({
    node: micros(sides.node),
    bare: micros(() => Effect.promise(sides.bare)),
    generic: micros(sides.generic)
  }, { rounds: 21, warmup: 4 }).pipe(
    Effect.map((samples) => {
      const { ratio } = inTurns(samples.generic, samples.bare)
      return inTurns(samples.node, samples.bare, [
        `through Remote.layerHttp and the undici client of @effect/platform-node: ratio ${describe(ratio)}`
      ])
    })
  )
}

/** Clients of our server and one of a bare server, each server in a process of its own, all on one core. */
const clients = Effect.gen(function*() {
  pinToOneCore()
  const ours = yield* start<Server>(new URL("./remote/ours.ts", import.meta.url))
  const bare = yield* start<Server>(new URL("./remote/bare.ts", import.meta.url))
  const address = yield* ours("url", undefined)
  const node = Context.get(yield* Layer.build(Http.layerClient(Echo, { url: address })), Echo)
  const remote = Layer.provide(Remote.layerHttp(Echo, { url: address }), NodeHttpClient.layerUndici)
  const generic = Context.get(yield* Layer.build(remote), Echo)
  const url = yield* bare("url", undefined)
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Pool(url)),
    (pool) => Effect.promise(() => pool.close())
  )
  const post = async (type: string, body: string | Uint8Array) => {
    const response = await pool.request({ method: "POST", path: "/", headers: { "content-type": type }, body })
    return response.body
  }
  return { generic, node, post }
})
