import { assert, describe, it } from "@effect/vitest"
import { Model, Replicas } from "chorale"
import { Effect, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import * as Deployment from "../../src/Deployment.ts"
import { random } from "../fixtures/random.ts"

const model = { success: Schema.Int }
class Fast extends Model.Service<Fast>()("test/Fast", [Rpc.make("vote", model)]) {}
class Slow extends Model.Service<Slow>()("test/Slow", [Rpc.make("vote", model)]) {}
class Ensemble extends Model.Service<Ensemble>()("test/Ensemble", [
  Rpc.make("together", model),
  Rpc.make("inSequence", model),
  Rpc.make("twice", model)
]) {}

const FastLive = Fast.toLayer({ vote: () => Effect.delay(Effect.succeed(1), "100 millis") })
const SlowLive = Slow.toLayer({ vote: () => Effect.delay(Effect.succeed(1), "150 millis") })
const EnsembleLive = Ensemble.toLayer(Effect.gen(function*() {
  const fast = yield* Fast
  const slow = yield* Slow
  return {
    together: () => Effect.as(Effect.all([fast.vote(), slow.vote()], { concurrency: "unbounded" }), 2),
    inSequence: () => Effect.as(Effect.all([fast.vote(), slow.vote()]), 2).pipe(Effect.delay("30 millis")),
    twice: () => Effect.as(Effect.all([fast.vote(), fast.vote()], { concurrency: "unbounded" }), 2)
  }
}))

/** The spans of a program, run under a clock that is moved on by so many milliseconds. */
const record = Effect.fnUntraced(function*<A, E, R>(program: Effect.Effect<A, E, R>, millis: number) {
  const running = yield* Effect.forkChild(Deployment.record(program))
  for (let passed = 0; passed < millis; passed += 10) yield* TestClock.adjust("10 millis")
  return (yield* Fiber.join(running)).spans
})

const edgesOf = ({ edges }: Deployment.CriticalPath) =>
  edges.map(({ callee, caller, calls, millis, queueMillis }) =>
    `${caller ?? ""} > ${callee}: ${calls} x ${millis} ms, queue ${queueMillis}`
  )

const ensemble = EnsembleLive.pipe(Layer.provide([FastLive, SlowLive]))

const span = (id: string, parent: string | undefined, start: number, end: number): Deployment.RecordedSpan => ({
  id,
  ...(parent === undefined ? {} : { parent }),
  name: id,
  start,
  end,
  attributes: {}
})

describe("the critical path", () => {
  it.effect("of two members of 100 and 150 ms that run together is the slower one, and 250 ms in sequence", () =>
    Effect.gen(function*() {
      const spans = yield* record(Effect.provide(Ensemble.use((ensemble) => ensemble.together()), ensemble), 200)
      const path = Deployment.criticalPath(spans)
      assert.strictEqual(path.requests, 1)
      assert.strictEqual(path.millis, 150)
      assert.strictEqual(path.sequentialMillis, 250)
      assert.deepStrictEqual(edgesOf(path).filter((edge) => !edge.includes(" 0 ms")), [
        "test/Ensemble.together > test/Slow.vote: 1 x 150 ms, queue 0"
      ])
    }))

  it.effect("of members that run one after another is both of them, and the caller's own time", () =>
    Effect.gen(function*() {
      const spans = yield* record(Effect.provide(Ensemble.use((ensemble) => ensemble.inSequence()), ensemble), 300)
      const path = Deployment.criticalPath(spans)
      assert.strictEqual(path.millis, 280)
      assert.strictEqual(path.sequentialMillis, 280)
      assert.deepStrictEqual(edgesOf(path), [
        "test/Ensemble.inSequence > test/Slow.vote: 1 x 150 ms, queue 0",
        "test/Ensemble.inSequence > test/Fast.vote: 1 x 100 ms, queue 0",
        " > test/Ensemble.inSequence: 1 x 30 ms, queue 0"
      ])
    }))

  it.effect("says how much of an edge was the wait for a replica", () =>
    Effect.gen(function*() {
      const one = Replicas.layer(Fast, { replica: () => FastLive, maxInFlight: 1 })
      const program = Ensemble.use((ensemble) => ensemble.twice()).pipe(
        Effect.provide(EnsembleLive.pipe(Layer.provide([one, SlowLive])))
      )
      const path = Deployment.criticalPath(yield* record(program, 300))
      assert.strictEqual(path.millis, 200)
      const queued = path.edges.reduce((sum, { queueMillis }) => sum + queueMillis, 0)
      assert.strictEqual(queued, 100)
    }))

  it.effect("is a table with the share of each edge", () =>
    Effect.gen(function*() {
      const spans = yield* record(Effect.provide(Ensemble.use((ensemble) => ensemble.inSequence()), ensemble), 300)
      assert.strictEqual(
        Deployment.drawCriticalPath(Deployment.criticalPath(spans)),
        [
          "edge                                        calls    ms  share  queue ms",
          "test/Ensemble.inSequence -> test/Slow.vote      1   150   54 %      0.00",
          "test/Ensemble.inSequence -> test/Fast.vote      1   100   36 %      0.00",
          "request -> test/Ensemble.inSequence             1  30.0   11 %      0.00",
          "The request took 280 ms; one call at a time it would be 280 ms."
        ].join("\n")
      )
    }))

  it("adds up several requests, and is nothing without any", () => {
    const path = Deployment.criticalPath([span("a", undefined, 0, 10), span("b", "gone", 5, 25)])
    assert.deepInclude(path, { requests: 2, millis: 30, sequentialMillis: 30 })
    assert.deepStrictEqual(Deployment.criticalPath([]), { requests: 0, millis: 0, sequentialMillis: 0, edges: [] })
  })

  it("takes a hop for one call: what its caller saw and what its replica did", () => {
    const hop = { name: "Reader.read", attributes: { "chorale.transport_ms": 3, "chorale.queue_ms": 2 } }
    const path = Deployment.criticalPath([
      span("Ocr.all", undefined, 0, 20),
      { ...span("client", "Ocr.all", 5, 20), ...hop },
      { ...span("server", "client", 9, 19), name: "Reader.read" },
      { ...span("again", "server", 10, 11), name: "Reader.read" }
    ])
    assert.deepStrictEqual(edgesOf(path), [
      "Ocr.all > Reader.read: 1 x 14 ms, queue 2",
      " > Ocr.all: 1 x 5 ms, queue 0",
      "Reader.read > Reader.read: 1 x 1 ms, queue 0"
    ])
  })

  it("leaves out what was not waited for", () => {
    const path = Deployment.criticalPath([
      span("request", undefined, 0, 100),
      span("loser", "request", 0, 60),
      span("winner", "request", 10, 90),
      span("later", "request", 95, 300)
    ])
    assert.deepStrictEqual(edgesOf(path).toSorted(), [
      " > request: 1 x 5 ms, queue 0",
      "request > later: 1 x 5 ms, queue 0",
      "request > loser: 1 x 10 ms, queue 0",
      "request > winner: 1 x 80 ms, queue 0"
    ])
  })

  it("adds up to the time of the requests, and to no more than the sequence, for spans of any shape", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed)
      const spans: Array<Deployment.RecordedSpan> = [span("0", undefined, 0, 100)]
      const count = Math.floor(next() * 30)
      for (let id = 1; id <= count; id++) {
        const parent = String(Math.floor(next() * id))
        // Some begin before their parent or end after it, as those of another machine may.
        const start = Math.floor(next() * 130) - 15
        spans.push(span(String(id), parent, start, start + Math.floor(next() * 60)))
      }
      const { edges, millis, sequentialMillis } = Deployment.criticalPath(spans)
      const total = edges.reduce((sum, edge) => sum + edge.millis, 0)
      assert.closeTo(total, millis, 1e-6, `seed ${seed}`)
      assert.isAtLeast(sequentialMillis, millis - 1e-6, `seed ${seed}`)
      for (const edge of edges) assert.isAtLeast(edge.millis, 0)
    }
  })
})
