import { Model, Residency, Resources, Traffic } from "chorale"
import { Effect, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import type { Equal, Expect } from "./Equal.ts"

class NoWeights extends Schema.TaggedError<NoWeights>()("NoWeights", {}) {}
class Weights extends Model.Service<Weights>()("Weights", [Rpc.make("load", { success: Schema.Int })]) {}
class Detector extends Model.Service<Detector>()("Detector", [
  Rpc.make("detect", { success: Schema.Int }),
  Rpc.make("watch", { success: Schema.Int, stream: true })
]) {}

const DetectorLive = Detector.toLayer(Effect.gen(function*() {
  const weights = yield* Weights
  if ((yield* Effect.orDie(weights.load())) === 0) return yield* new NoWeights()
  return { detect: () => Effect.succeed(1), watch: () => Stream.empty }
}))

const limited = DetectorLive.pipe(
  Traffic.limit({ concurrency: 8, methods: ["detect", "watch"] }),
  Traffic.circuitBreaker(),
  Traffic.retry({ methods: ["detect"] }),
  Traffic.deadline("1 second"),
  Traffic.cache({ methods: ["detect"], capacity: "1 MiB", timeToLive: "1 minute" })
)

export type APolicyKeepsTheTypeOfTheLayer = Expect<Equal<typeof limited, typeof DetectorLive>>

const required = DetectorLive.pipe(Resources.require({ cpu: 1 }), Traffic.limit({ concurrency: 8 }))
const requiredAfter = DetectorLive.pipe(Traffic.limit({ concurrency: 8 }), Resources.require({ cpu: 1 }))

export type ARequestStays = Expect<Equal<typeof required, typeof requiredAfter>>

export const plan = Resources.layer([required])

const budgeted = DetectorLive.pipe(Traffic.budget("gpu"))

export type ABudgetIsNeeded = Expect<
  Equal<typeof budgeted, Model.ServiceLayer<Detector, NoWeights, Weights | Traffic.Budget<"gpu">>>
>

const budgetedRequest = DetectorLive.pipe(Resources.require({ cpu: 1 }), Traffic.budget("gpu"))

export const budgetedPlan = Resources.layer([budgetedRequest])

export type ABudgetKeepsTheRequest = Expect<
  Equal<Layer.Services<typeof budgetedRequest>, Weights | Resources.Granted<Detector> | Traffic.Budget<"gpu">>
>

const idle = DetectorLive.pipe(Residency.idle({ timeToLive: "1 minute" }), Traffic.limit({ concurrency: 8 }))

export type AnIdleLayerCannotFail = Expect<
  Equal<[Layer.Error<typeof idle>, Layer.Services<typeof idle>], [never, Weights]>
>

export type AnIdleLayerCanBeReloaded = Expect<
  Equal<Layer.Success<typeof idle>, Detector | Residency.Resident<Detector>>
>

export const reloading: Effect.Effect<void, unknown, Weights> = Residency.reload(Detector).pipe(Effect.provide(idle))

const idleRequest = DetectorLive.pipe(Resources.require({ cpu: 1 }), Residency.idle({ timeToLive: "1 minute" }))

export const idlePlan = Resources.layer([idleRequest])

export const other = Traffic.of(
  Detector,
  Layer.succeed(Detector, { detect: () => Effect.succeed(1), watch: () => Stream.empty })
).pipe(Traffic.limit({ concurrency: 1 }))
