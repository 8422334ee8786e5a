import Undici from "@effect/platform-node/Undici"
import { Effect } from "effect"
import { deepStrictEqual } from "node:assert/strict"
import { type Benchmark, interleave, inTurns, ratioAtMost } from "./benchmark.ts"
import { start } from "./child.ts"
import type { Orchestrator } from "./compose/server.ts"
import type { HopServer } from "./hop/server.ts"
import type { Server } from "./remote/contracts.ts"

const record = { id: "b7c1", label: "receipt", width: 640, height: 480, score: 0.987, upright: true }

const inFlight = 16
const perLane = 150

/** The services that an orchestrator calls: ours on unix sockets, those by hand on node:http. */
const socketServices = Effect.forEach(
  [1, 2],
  () =>
    Effect.flatMap(
      start<HopServer>(new URL("./hop/ours.ts", import.meta.url)),
      (service) => Effect.map(service("addresses", { traced: false }), ({ unix }) => "path" in unix ? unix.path : "")
    )
)

const httpServices = Effect.forEach(
  [1, 2],
  () =>
    Effect.flatMap(start<Server>(new URL("./remote/bare.ts", import.meta.url)), (service) => service("url", undefined))
)

const orchestrate = Effect.fnUntraced(function*(program: URL, services: ReadonlyArray<string>) {
  const ask = yield* start<Orchestrator>(program)
  const [first = "", second = ""] = services
  const url = new URL(yield* ask("url", [first, second]))
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Pool(url.origin, { connections: inFlight })),
    (pool) => Effect.promise(() => pool.close())
  )
  const request = async () => {
    const { body } = await pool.request({
      method: "POST",
      path: url.pathname,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(record)
    })
    return body.json()
  }
  const lane = async () => {
    for (let done = 0; done < perLane; done++) await request()
  }
  /** The CPU time of the orchestrator per request, in microseconds. */
  const cpuPerRequest = Effect.gen(function*() {
    const before = yield* ask("cpu", undefined)
    yield* Effect.promise(() => Promise.all(Array.from({ length: inFlight }, lane)))
    return ((yield* ask("cpu", undefined)) - before) / (inFlight * perLane)
  })
  return { request, cpuPerRequest }
})

/** What the composition itself costs. */
export const composeCpu: Benchmark = {
  name: "compose/cpu",
  measures:
    "CPU time per request of a served pipeline of two services on sockets, over the same by hand: node:http, two undici calls",
  unit: "µs",
  target: ratioAtMost(1.1),
  run: Effect.fnUntraced(function*() {
    const ours = yield* orchestrate(new URL("./compose/ours.ts", import.meta.url), yield* socketServices)
    const byHand = yield* orchestrate(new URL("./compose/byHand.ts", import.meta.url), yield* httpServices)
    const expected = { first: record, second: record }
    deepStrictEqual(yield* Effect.promise(ours.request), expected)
    deepStrictEqual(yield* Effect.promise(byHand.request), expected)
    const samples = yield* interleave(
      { ours: ours.cpuPerRequest, byHand: byHand.cpuPerRequest },
      { rounds: 15, warmup: 4 }
    )
    return inTurns(samples.ours, samples.byHand)
  }, Effect.orDie)
}
