import Undici from "@effect/platform-node/Undici"
import { Effect } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import {
  apart,
  type Benchmark,
  format,
  interleave,
  inTurns,
  medianMillis,
  ratioAtLeast,
  ratioAtMost,
  series
} from "./benchmark.ts"
import { start } from "./child.ts"
import { pinToOneCore } from "./pin.ts"
import type { Server } from "./remote/contracts.ts"
import * as Flood from "./rest/flood.ts"
import * as Load from "./rest/load.ts"
import type { RestServer } from "./rest/service.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

/** What a route costs that is made from a contract. */
export const restJson: Benchmark = {
  name: "rest/json",
  measures: "p50 of a POST of JSON with 6 fields to a method and the same back, over a bare node:http handler",
  unit: "µs",
  target: ratioAtMost(2.5),
  run: Effect.fnUntraced(function*() {
    pinToOneCore()
    const ours = yield* post(new URL("./remote/ours.ts", import.meta.url), "/bench/RemoteEcho/json")
    const bare = yield* post(new URL("./remote/bare.ts", import.meta.url), "/")
    deepStrictEqual(yield* ours.call, record)
    deepStrictEqual(yield* bare.call, record)
    const micros = (call: Effect.Effect<unknown>) =>
      Effect.map(medianMillis(300, () => call), (millis) => millis * 1000)
    const samples = yield* interleave({ ours: micros(ours.call), bare: micros(bare.call) }, { rounds: 21, warmup: 4 })
    return inTurns(samples.ours, samples.bare)
  }, Effect.orDie)
}

const post = Effect.fnUntraced(function*(program: URL, path: string) {
  const server = yield* start<Server>(program)
  const origin = new URL(yield* server("url", undefined)).origin
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Pool(origin, { connections: 1 })),
    (pool) => Effect.promise(() => pool.close())
  )
  const call = Effect.promise(async () => {
    const { body } = await pool.request({
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(record)
    })
    return body.json()
  })
  return { call }
})

const connections = 64

/** How many requests a process answers. */
export const restRps: Benchmark = {
  name: "rest/rps",
  measures: "requests per second of a trivial method on 64 connections, over the same in Fastify",
  unit: "/s",
  target: ratioAtLeast(0.5),
  run: Effect.fnUntraced(function*() {
    const ours = yield* loaded(new URL("./rest/ours.ts", import.meta.url))
    const fastify = yield* loaded(new URL("./rest/fastify.ts", import.meta.url))
    const samples = yield* interleave({ ours: ours.rps, fastify: fastify.rps }, { rounds: 11, warmup: 4 })
    const cpu = series(yield* Effect.all(Array.from({ length: 5 }, () => ours.cpu))).figure
    const theirs = series(yield* Effect.all(Array.from({ length: 5 }, () => fastify.cpu))).figure
    return inTurns(samples.ours, samples.fastify, [
      `CPU of a request: ${format(cpu)} µs over ${format(theirs)} µs in Fastify`
    ])
  }, Effect.orDie)
}

const loaded = Effect.fnUntraced(function*(program: URL) {
  const server = yield* start<RestServer>(program)
  const url = new URL("/bench/Trivial/greet", yield* server("url", undefined))
  const load = yield* Load.make(url, { name: "world" }, connections)
  const times = 50
  return {
    rps: load.run(times),
    cpu: Effect.gen(function*() {
      const before = yield* server("cpu", undefined)
      yield* load.run(times)
      return ((yield* server("cpu", undefined)) - before) / (connections * times)
    })
  }
})

const places = 32
const millis = 10

/** What is left of a server that is asked for twice of what it can do. */
export const restOverload: Benchmark = {
  name: "rest/overload",
  measures:
    "calls per second that succeed at twice the best rate on 500 connections (5 s, with --full 30 s), over that best rate",
  unit: "/s",
  target: ratioAtLeast(0.9),
  run: Effect.fnUntraced(function*({ full }) {
    const server = yield* start<RestServer>(new URL("./rest/ours.ts", import.meta.url))
    const url = new URL("/bench/Trivial/work", yield* server("url", undefined))
    const best = yield* Flood.make(url, { millis }, places)
    const many = yield* Flood.make(url, { millis }, 500)
    // What is beyond the places of the service waits in this process until a connection is free.
    const unlimited = places / millis * 1000
    yield* best.run({ rate: unlimited, seconds: 2 })
    const sustained = yield* Effect.all(Array.from({ length: 3 }, () => best.run({ rate: unlimited, seconds: 2 })))
    const bestRate = series(sustained.map(({ goodput }) => goodput))
    const flooded = yield* many.run({ rate: 2 * bestRate.figure, seconds: full ? 30 : 5 })
    return apart(series([flooded.goodput]), bestRate, [
      `/livez took ${format(flooded.health)} ms at most`,
      `refused by status: ${JSON.stringify(flooded.refused)}; without a free connection: ${flooded.unsent}`
    ])
  }, Effect.orDie)
}
