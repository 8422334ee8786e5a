import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Deployment from "../../src/Deployment.ts"
import * as Resources from "../../src/Resources.ts"
import members, { Ensemble } from "../fixtures/cli/members/deployment.ts"
import { random } from "../fixtures/random.ts"

const description = Deployment.describe(members)

const span = (id: string, parent: string | undefined, name: string, start: number, end: number) => ({
  id,
  ...(parent === undefined ? {} : { parent }),
  name,
  start,
  end,
  attributes: {}
})

const edgesOf = ({ edges }: Deployment.Observation) =>
  edges.map(({ callMillis, calls, from = "", millis, queueMillis, to }) =>
    `${from} > ${to}: ${calls} in ${callMillis} ms, ${millis} ms of the latency, queue ${queueMillis}`
  )

const observed = Effect.gen(function*() {
  const program = Effect.provide(
    Ensemble.use((ensemble) => Effect.all([ensemble.together(), ensemble.together()])),
    Deployment.layer(members)
  ).pipe(Effect.provide(Resources.layerMachine({ cpu: 1, memory: "1 GiB", gpus: [] })))
  const running = yield* Effect.forkChild(Deployment.record(program))
  for (let passed = 0; passed < 400; passed += 10) yield* TestClock.adjust("10 millis")
  return (yield* Fiber.join(running)).spans
})

describe("what was observed of a deployment", () => {
  it.effect("is on which edge the latency is spent, where two members of 100 and 150 ms are called together", () =>
    Effect.gen(function*() {
      const observation = Deployment.observe(description, yield* observed)
      const { millis, outsideMillis, requests, sequentialMillis } = observation
      assert.deepStrictEqual({ millis, outsideMillis, requests, sequentialMillis }, {
        millis: 300,
        outsideMillis: 0,
        requests: 2,
        sequentialMillis: 500
      })
      assert.deepStrictEqual(edgesOf(observation).toSorted(), [
        " > ensemble: 2 in 300 ms, 0 ms of the latency, queue 0",
        "ensemble > fast: 2 in 200 ms, 0 ms of the latency, queue 0",
        "ensemble > slow: 2 in 300 ms, 300 ms of the latency, queue 0"
      ])
    }))

  it.effect("is drawn on the graph: as a table, for Mermaid, for Graphviz and as data", () =>
    Effect.gen(function*() {
      const observation = Deployment.observe(description, yield* observed)
      assert.strictEqual(
        Deployment.drawObservation(description, observation),
        [
          "unit      calls  ms a call  share  queue ms",
          "ensemble      2        150    0 %      0.00",
          "├─> fast      2        100    0 %      0.00",
          "└─> slow      2        150  100 %      0.00",
          "2 requests took 300 ms; one call at a time it would be 500 ms.",
          "The largest part of it, 100 %, is spent on ensemble -> slow."
        ].join("\n")
      )
      const mermaid = Deployment.toMermaid(description, observation)
      for (const part of ["-->|\"2 calls, 100 %\"| 1", "((\"2 requests, 300 ms, in sequence 500 ms\"))"]) {
        assert.include(mermaid, part)
      }
      assert.include(Deployment.toDot(description, observation), "\"2\" -> \"1\" [label=\"2 calls, 100 %\"]")
      const data = Deployment.toData(description, observation)
      assert.deepStrictEqual(data.observed, observation)
      assert.deepStrictEqual(data.edges.map(({ from, observed, to }) => [from, to, observed?.millis]), [
        ["ensemble", "fast", 0],
        ["ensemble", "slow", 300]
      ])
    }))

  it("counts what a unit does besides its calls for the edge to it", () => {
    const observation = Deployment.observe(description, [
      span("a", undefined, "POST", 0, 100),
      span("b", "a", "members/Ensemble.together", 10, 90),
      span("c", "b", "preparing", 10, 30),
      span("d", "b", "asking", 30, 80),
      span("e", "d", "members/Fast.vote", 40, 70)
    ])
    assert.strictEqual(observation.outsideMillis, 20)
    assert.deepStrictEqual(edgesOf(observation), [
      " > ensemble: 1 in 80 ms, 50 ms of the latency, queue 0",
      "ensemble > fast: 1 in 30 ms, 30 ms of the latency, queue 0"
    ])
    assert.include(
      Deployment.drawObservation(description, observation),
      "outside of the units                     20 %"
    )
  })

  it("takes what a caller and its replica saw of a call for one, with its queue", () => {
    const hop = { "chorale.transport_ms": 3, "chorale.queue_ms": 2 }
    const observation = Deployment.observe(description, [
      span("a", undefined, "members/Ensemble.together", 0, 30),
      { ...span("b", "a", "members/Slow.vote", 5, 30), attributes: hop },
      span("c", "b", "http.client POST", 8, 29),
      span("d", "c", "members/Slow.vote", 10, 25)
    ])
    assert.deepStrictEqual(edgesOf(observation), [
      "ensemble > slow: 1 in 25 ms, 25 ms of the latency, queue 2",
      " > ensemble: 1 in 30 ms, 5 ms of the latency, queue 0"
    ])
    assert.include(Deployment.toMermaid(description, observation), "|\"1 call, 83 %, 2.00 ms queued\"|")
  })

  it("shows calls that the deployment does not have an edge for", () => {
    const observation = Deployment.observe(description, [
      span("a", undefined, "members/Fast.vote", 0, 30),
      span("b", "a", "members/Slow.vote", 0, 20)
    ])
    const lines = Deployment.drawObservation(description, observation).split("\n")
    assert.deepStrictEqual(lines.slice(1, 6).map((line) => line.replaceAll(/ +/g, " ")), [
      "ensemble 0",
      "├─> fast 0",
      "└─> slow 0",
      "fast -> slow 1 20.0 67 % 0.00",
      "request -> fast 1 30.0 33 % 0.00"
    ])
    const { edges } = Deployment.toData(description, observation)
    assert.deepStrictEqual(edges.map(({ from, to }) => `${from} ${to}`), [
      "ensemble fast",
      "ensemble slow",
      "fast slow"
    ])
  })

  it("leaves requests out that call no service of the deployment, and spans that are below themselves", () => {
    const observation = Deployment.observe(description, [
      span("a", undefined, "GET", 0, 1000),
      span("b", undefined, "members/Other.vote", 0, 1000),
      span("c", "d", "members/Fast.vote", 0, 1000),
      span("d", "c", "members/Fast.vote", 0, 1000)
    ])
    const nothing = { requests: 0, millis: 0, sequentialMillis: 0, outsideMillis: 0, edges: [] }
    assert.deepStrictEqual(observation, nothing)
  })

  it("adds up to the time of the requests, for spans of any shape", () => {
    const names = ["POST", "part", "members/Ensemble.together", "members/Fast.vote", "members/Slow.vote"]
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed)
      const spans = [span("0", undefined, "members/Ensemble.together", 0, 100)]
      const count = Math.floor(next() * 30)
      for (let id = 1; id <= count; id++) {
        const start = Math.floor(next() * 130) - 15
        const name = names[Math.floor(next() * names.length)] ?? ""
        spans.push(span(String(id), String(Math.floor(next() * id)), name, start, start + Math.floor(next() * 60)))
      }
      const { edges, millis, outsideMillis, requests } = Deployment.observe(description, spans)
      const total = edges.reduce((sum, edge) => sum + edge.millis, outsideMillis)
      assert.closeTo(total, millis, 1e-6, `seed ${seed}`)
      assert.deepStrictEqual({ millis, requests }, { millis: 100, requests: 1 })
      const calls = spans.filter(({ name }) => name.includes("/"))
      assert.strictEqual(edges.reduce((sum, edge) => sum + edge.calls, 0), calls.length, `seed ${seed}`)
    }
  })
})
