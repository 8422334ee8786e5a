import { credentials } from "@grpc/grpc-js"
import { Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Context, Effect, Layer } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, interleave, inTurns, medianMillis, ratioAtMost } from "./benchmark.ts"
import { start } from "./child.ts"
import * as Grpc from "./hop/grpcService.ts"
import type { HopServer } from "./hop/server.ts"
import { pinToOneCore } from "./pin.ts"
import { Echo } from "./remote/contracts.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

const picture = 150_528

/** A client of our server and one of a grpc-js server, both over unix sockets. */
const clients = Effect.gen(function*() {
  pinToOneCore()
  const ours = yield* start<HopServer>(new URL("./hop/ours.ts", import.meta.url))
  const grpc = yield* start<HopServer>(new URL("./hop/grpc.ts", import.meta.url))
  const { unix } = yield* ours("addresses", { traced: false })
  const echo = Context.get(yield* Layer.build(Socket.layerClient(Echo, unix)), Echo)
  const { unix: grpcAddress } = yield* grpc("addresses", { traced: false })
  const target = "path" in grpcAddress ? `unix:${grpcAddress.path}` : ""
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Grpc.Echo(target, credentials.createInsecure(), Grpc.options)),
    (client) => Effect.sync(() => client.close())
  )
  const unary = (method: "Json" | "Tensor", request: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      // The methods of a client that is loaded at run time have no static types.
      const call = client[method] as (
        request: unknown,
        done: (error: Error | null, response: unknown) => void
      ) => unknown
      call.call(client, request, (error, response) => error === null ? resolve(response) : reject(error))
    })
  return { echo, unary }
})

const compare = Effect.fnUntraced(function*<E>(
  rounds: number,
  perSample: number,
  ours: () => Effect.Effect<unknown, E>,
  grpc: () => Promise<unknown>
) {
  deepStrictEqual(yield* ours(), yield* Effect.promise(grpc))
  const micros = <E2>(call: () => Effect.Effect<unknown, E2>) =>
    Effect.map(medianMillis(perSample, call), (millis) => millis * 1000)
  const samples = yield* interleave({
    ours: Effect.withTracerEnabled(micros(ours), false),
    grpc: micros(() => Effect.promise(grpc))
  }, { rounds, warmup: 4 })
  return inTurns(samples.ours, samples.grpc)
})

export const grpcSmall: Benchmark = {
  name: "hop/grpc-small",
  measures: "p50 of a call with 6 fields and the same back over a unix socket, over grpc-js on one",
  unit: "µs",
  target: ratioAtMost(0.25),
  run: Effect.fnUntraced(function*() {
    const { echo, unary } = yield* clients
    return yield* compare(61, 500, () => echo.json(record), async () => ({ ...Object(await unary("Json", record)) }))
  }, Effect.orDie)
}

export const grpc600k: Benchmark = {
  name: "hop/grpc-600k",
  measures: "p50 of a call with 602 kB of tensor and the same back over a unix socket, over grpc-js on one",
  unit: "µs",
  target: ratioAtMost(0.25),
  run: Effect.fnUntraced(function*() {
    const { echo, unary } = yield* clients
    const tensor = Tensor.make("float32", [picture], Float32Array.from({ length: picture }, (_, index) => index))
    const bytes = Tensor.toBytes(tensor)
    const overGrpc = async () => {
      const data: Uint8Array = Object(await unary("Tensor", { data: bytes })).data
      return new Float32Array(Uint8Array.from(data).buffer)
    }
    return yield* compare(61, 40, () => Effect.map(echo.tensor({ tensor }), ({ data }) => data), overGrpc)
  }, Effect.orDie)
}
