import { Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Context, Effect, Layer } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, interleave, inTurns, medianMillis, ratioAtLeast, ratioAtMost } from "./benchmark.ts"
import { start } from "./child.ts"
import * as Raw from "./hop/rawClient.ts"
import { cpuMicros, type HopServer } from "./hop/server.ts"
import { pinToOneCore } from "./pin.ts"
import { Echo } from "./remote/contracts.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

/** 1x3x224x224, a picture as most image classifiers take it: 602 kB. */
const picture = 150_528

/** 4 MiB of float32. */
const large = 1_048_576

type Kind = "unix" | "tcp"

/** Clients of our server and of the one by hand, each server in a process of its own, all on one core. */
const clients = Effect.fnUntraced(function*(kind: Kind, traced = false) {
  pinToOneCore()
  const ours = yield* start<HopServer>(new URL("./hop/ours.ts", import.meta.url))
  const raw = yield* start<HopServer>(new URL("./hop/raw.ts", import.meta.url))
  const context = yield* Layer.build(Socket.layerClient(Echo, (yield* ours("addresses", { traced }))[kind]))
  const call = yield* Raw.connect((yield* raw("addresses", { traced }))[kind])
  return {
    echo: Context.get(context, Echo),
    raw: call,
    cpu: { ours: ours("cpu", undefined), raw: raw("cpu", undefined) }
  }
})

type Clients = Effect.Success<ReturnType<typeof clients>>

const smallCalls = ({ echo, raw }: Clients) => {
  const encoder = new TextEncoder()
  return {
    ours: () => echo.json(record),
    raw: () =>
      Effect.promise(async () => JSON.parse(Buffer.from(await raw(encoder.encode(JSON.stringify(record)))).toString()))
  }
}

const tensorCalls = (elements: number) => ({ echo, raw }: Clients) => {
  const tensor = Tensor.make("float32", [elements], Float32Array.from({ length: elements }, (_, index) => index))
  const bytes = Tensor.toBytes(tensor)
  return {
    ours: () => Effect.map(echo.tensor({ tensor }), ({ data }) => data),
    raw: () => Effect.promise(async () => new Float32Array((await raw(bytes)).buffer))
  }
}

type Calls = (clients: Clients) => {
  readonly ours: () => Effect.Effect<unknown, unknown>
  readonly raw: () => Effect.Effect<unknown>
}

/** The p50 of calls one after another, in turns. */
const latency = (kind: Kind, calls: Calls, perSample: number, traced = false) =>
  Effect.fnUntraced(function*() {
    const { ours, raw } = calls(yield* clients(kind, traced))
    deepStrictEqual(yield* ours(), yield* raw())
    const micros = <E>(call: () => Effect.Effect<unknown, E>) =>
      Effect.map(medianMillis(perSample, call), (millis) => millis * 1000)
    const samples = yield* interleave(
      { ours: Effect.withTracerEnabled(micros(ours), traced), raw: micros(raw) },
      { rounds: 25, warmup: 5 }
    )
    return inTurns(samples.ours, samples.raw)
  }, Effect.orDie)

/** The CPU time of both ends per call. */
const cpu = (kind: Kind, calls: Calls, perSample: number) =>
  Effect.fnUntraced(function*() {
    const all = yield* clients(kind)
    const { ours, raw } = calls(all)
    deepStrictEqual(yield* ours(), yield* raw())
    const perCall = <E, E2>(call: () => Effect.Effect<unknown, E>, server: Effect.Effect<number, E2>) =>
      Effect.gen(function*() {
        const before = cpuMicros() + (yield* server)
        for (let done = 0; done < perSample; done++) yield* call()
        return (cpuMicros() + (yield* server) - before) / perSample
      })
    const samples = yield* interleave({
      ours: Effect.withTracerEnabled(perCall(ours, all.cpu.ours), false),
      raw: perCall(raw, all.cpu.raw)
    }, { rounds: 15, warmup: 4 })
    return inTurns(samples.ours, samples.raw)
  }, Effect.orDie)

const socketSmall: Benchmark = {
  name: "hop/socket-small",
  measures: "p50 of a call with 6 fields and the same back over a unix socket, over an echo of the same JSON by hand",
  unit: "µs",
  target: ratioAtMost(2),
  run: latency("unix", smallCalls, 1000)
}

const socketSmallTraced: Benchmark = {
  name: "hop/socket-small-traced",
  measures: "the same with a trace",
  unit: "µs",
  target: ratioAtMost(3),
  run: latency("unix", smallCalls, 1000, true)
}

const socket600k: Benchmark = {
  name: "hop/socket-600k",
  measures:
    "p50 of a call with 602 kB of tensor and the same back over a unix socket, over an echo of the bytes by hand",
  unit: "µs",
  target: ratioAtMost(1.3),
  run: latency("unix", tensorCalls(picture), 60)
}

const socket600kCpu: Benchmark = {
  name: "hop/socket-600k-cpu",
  measures: "CPU time of both ends of such a call, over that of the echo by hand",
  unit: "µs",
  target: ratioAtMost(2.5),
  run: cpu("unix", tensorCalls(picture), 60)
}

const socket4m: Benchmark = {
  name: "hop/socket-4m",
  measures:
    "p50 of a call with 4 MiB of tensor and the same back over a unix socket, over an echo of the bytes by hand",
  unit: "µs",
  target: ratioAtMost(1.4),
  run: latency("unix", tensorCalls(large), 15)
}

const tcpSmall: Benchmark = {
  name: "hop/tcp-small",
  measures: "p50 of a call with 6 fields and the same back over TCP, over an echo of the same JSON by hand",
  unit: "µs",
  target: ratioAtMost(2),
  run: latency("tcp", smallCalls, 1000)
}

const callsInFlight = 64

const throughput: Benchmark = {
  name: "hop/throughput",
  measures: "calls a second with 64 in flight over a unix socket, over those of the echo by hand",
  unit: "calls/s",
  target: ratioAtLeast(0.35),
  run: Effect.fnUntraced(function*() {
    const { ours, raw } = smallCalls(yield* clients("unix"))
    const perSecond = <E>(call: () => Effect.Effect<unknown, E>) => {
      const calls = 200 * callsInFlight
      const lane = Effect.gen(function*() {
        for (let done = 0; done < calls / callsInFlight; done++) yield* call()
      })
      return Effect.gen(function*() {
        const begin = performance.now()
        yield* Effect.all(Array.from({ length: callsInFlight }, () => lane), {
          concurrency: "unbounded",
          discard: true
        })
        return calls / (performance.now() - begin) * 1000
      })
    }
    const samples = yield* interleave(
      { ours: Effect.withTracerEnabled(perSecond(ours), false), raw: perSecond(raw) },
      { rounds: 15, warmup: 3 }
    )
    return inTurns(samples.ours, samples.raw)
  }, Effect.orDie)
}

export const hopSocket: ReadonlyArray<Benchmark> = [
  socketSmall,
  socketSmallTraced,
  socket600k,
  socket600kCpu,
  socket4m,
  tcpSmall,
  throughput
]
