import { assert, describe, it } from "@effect/vitest"
import { Model, Resources } from "chorale"
import { Effect, Exit, Layer, Ref, Schema, Scope } from "effect"
import { Rpc } from "effect/rpc"

class Left extends Model.Service<Left>()("test/Left", [Rpc.make("grant", { success: Schema.Unknown })]) {}
class Right extends Model.Service<Right>()("test/Right", [Rpc.make("grant", { success: Schema.Unknown })]) {}

const left = Left.toLayer(Effect.map(Resources.Grant, (grant) => ({ grant: () => Effect.succeed(grant) })))
const right = Right.toLayer(Effect.map(Resources.Grant, (grant) => ({ grant: () => Effect.succeed(grant) })))

const gpus = [
  { index: 0, name: "NVIDIA L4", memory: 24 * 2 ** 30 },
  { index: 1, name: "NVIDIA H200", memory: 141 * 2 ** 30 }
]
const machine = Resources.layerMachine({ cpu: 4, memory: "8 GiB", gpus })

/** What `left` and `right` are granted on the machine. */
const grants = (leftRequest: Resources.Request, rightRequest: Resources.Request) => {
  const leftLive = left.pipe(Resources.require(leftRequest))
  const rightLive = right.pipe(Resources.require(rightRequest))
  return Effect.all([Left.use((left) => left.grant()), Right.use((right) => right.grant())]).pipe(
    Effect.provide(
      Layer.mergeAll(leftLive, rightLive).pipe(
        Layer.provide(Resources.layer([leftLive, rightLive])),
        Layer.provide(machine)
      )
    )
  )
}

const shortOf = (leftRequest: Resources.Request, rightRequest: Resources.Request) =>
  Effect.map(Effect.flip(grants(leftRequest, rightRequest)), (error) => {
    assert.instanceOf(error, Resources.ResourcesExhausted)
    return error
  })

describe("Resources", () => {
  it.effect("grants each service its replicas, and as many threads as it asked whole cores", () =>
    Effect.gen(function*() {
      const [forLeft, forRight] = yield* grants({ cpu: 2 }, { cpu: 0.5, replicas: 2 })
      assert.deepStrictEqual(forLeft, { replicas: 1, threads: 2, gpus: [[]] })
      assert.deepStrictEqual(forRight, { replicas: 2, threads: 1, gpus: [[], []] })
    }))

  it.effect("fills a range of replicas with what is left, in turns", () =>
    Effect.gen(function*() {
      const range = { cpu: 0.8, replicas: { min: 1, max: 9 } }
      const [forLeft, forRight] = yield* grants(range, range)
      assert.strictEqual((forLeft as Resources.Grant).replicas, 3)
      assert.strictEqual((forRight as Resources.Grant).replicas, 2)
    }))

  it.effect("never grants more than the most that was asked", () =>
    Effect.gen(function*() {
      const [forLeft] = yield* grants({ replicas: { min: 1, max: 3 } }, {})
      assert.strictEqual((forLeft as Resources.Grant).replicas, 3)
    }))

  it.effect("gives every replica GPUs of its own, and those who name a type first", () =>
    Effect.gen(function*() {
      const [forLeft, forRight] = yield* grants({ gpu: 1 }, { gpu: 1, gpuType: "L4" })
      assert.deepStrictEqual((forLeft as Resources.Grant).gpus, [[1]])
      assert.deepStrictEqual((forRight as Resources.Grant).gpus, [[0]])
    }))

  it.effect("fits exactly what the machine has", () =>
    Effect.gen(function*() {
      yield* grants({ cpu: 0.1, replicas: 10, memory: "4 GiB" } satisfies Resources.Request, {}).pipe(Effect.flip)
      yield* grants({ cpu: 0.1, replicas: 30 }, { cpu: 1, memory: "8 GiB", gpu: 2 })
    }))

  it.effect("fails with what every service asks, what the machine has and what is short", () =>
    Effect.gen(function*() {
      const error = yield* shortOf({ cpu: 3, memory: "9 GiB" }, { cpu: 1, replicas: { min: 2, max: 4 } })
      assert.deepStrictEqual(error.demands.map(({ replicas, service }) => [service, replicas]), [
        ["test/Left", 1],
        ["test/Right", 2]
      ])
      assert.strictEqual(error.inventory.cpu, 4)
      assert.deepStrictEqual(error.short, ["memory"])
      for (const text of ["test/Left", "test/Right", "9 GiB", "cpu 5", "cpu 4", "memory"]) {
        assert.include(error.message, text)
      }
    }))

  it.effect("names the type of GPU that is short", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* shortOf({ gpu: 1, gpuType: "B200" }, {})).short, ["gpu B200"])
      assert.deepStrictEqual((yield* shortOf({ gpu: 3 }, {})).short, ["gpu"])
      assert.deepStrictEqual((yield* shortOf({ cpu: 5 }, {})).short, ["cpu"])
    }))

  it.effect("fails before any layer is built", () =>
    Effect.gen(function*() {
      const built = yield* Ref.make(0)
      const leftLive = Left.toLayer(
        Effect.as(Ref.update(built, (count) => count + 1), { grant: () => Effect.succeed(0) })
      ).pipe(Resources.require({ cpu: 1 }))
      const rightLive = right.pipe(Resources.require({ cpu: 9 }))
      yield* Effect.flip(Layer.build(
        Layer.mergeAll(leftLive, rightLive).pipe(
          Layer.provide(Resources.layer([leftLive, rightLive])),
          Layer.provide(machine)
        )
      ))
      assert.strictEqual(yield* Ref.get(built), 0)
    }))

  it.effect("counts what another plan on the same machine holds, until that is released", () =>
    Effect.gen(function*() {
      const leftLive = left.pipe(Resources.require({ cpu: 3 }))
      const rightLive = right.pipe(Resources.require({ cpu: 3 }))
      yield* Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(Resources.layer([leftLive]), scope)
        const error = yield* Effect.flip(Layer.build(Resources.layer([rightLive])))
        assert.deepStrictEqual(error.demands.map(({ service }) => service), ["test/Left", "test/Right"])
        yield* Scope.close(scope, Exit.void)
        yield* Layer.build(Resources.layer([rightLive]))
      }).pipe(Effect.provide(machine))
    }))

  it("refuses a request that makes no sense where it is written", () => {
    for (
      const request of [
        { cpu: -1 },
        { cpu: Number.NaN },
        { gpu: 0.5 },
        { replicas: 0 },
        { replicas: 1.5 },
        { replicas: { min: 3, max: 2 } }
      ]
    ) assert.throws(() => left.pipe(Resources.require(request)), RangeError, "test/Left")
  })

  it.effect("is one replica of one thread where nothing is required", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Resources.Grant, { replicas: 1, threads: 1, gpus: [] })
    }))
})
