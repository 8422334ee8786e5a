import { Model, Remote, Resources, type ServiceError, Tensor } from "chorale"
import { Effect, type Layer, Schema, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { Rpc } from "effect/rpc"
import type { Equal, Expect } from "./Equal.ts"

class Blurred extends Schema.TaggedError<Blurred>()("Blurred", {}) {}
class Detector extends Model.Service<Detector>()("Detector", [
  Rpc.make("detect", {
    payload: { image: Tensor.schema("uint8", ["h", "w", 3]) },
    success: Schema.Int,
    error: Blurred
  }),
  Rpc.make("watch", { success: Schema.Int, error: Blurred, stream: true })
]) {}
class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.Int })]) {}

const image = Tensor.zeros("uint8", [2, 2, 3])
const call = Detector.use((detector) => detector.detect({ image }))
const watch = Stream.unwrap(Detector.useSync((detector) => detector.watch()))

export type ACallHasTheModelsErrorsAndTheLibrarys = Expect<
  Equal<typeof call, Effect.Effect<number, Blurred | ServiceError.ServiceError, Detector>>
>

export type SoHasAStream = Expect<Equal<Stream.Error<typeof watch>, Blurred | ServiceError.ServiceError>>

const ReaderLive = Reader.toLayer(Effect.gen(function*() {
  const detector = yield* Detector
  return {
    read: Effect.fnUntraced(function*() {
      return yield* detector.detect({ image }).pipe(Effect.catchTag("Blurred", () => Effect.succeed(0)))
    })
  }
}))

export type DependenciesAreInferred = Expect<Equal<Layer.Services<typeof ReaderLive>, Detector>>

const DetectorLive = Detector.toLayer({ detect: () => Effect.succeed(1), watch: () => Stream.empty }).pipe(
  Resources.require({ cpu: 1 })
)
const DetectorRemote = Remote.layerHttp(Detector, { url: "http://127.0.0.1" })

export type LocalNeedsItsShare = Expect<Equal<Layer.Services<typeof DetectorLive>, Resources.Granted<Detector>>>

export type RemoteNeedsAClient = Expect<Equal<Layer.Services<typeof DetectorRemote>, HttpClient.HttpClient>>

export type BothSatisfyTheSameKey = Expect<
  Equal<[Layer.Success<typeof DetectorLive>, Layer.Success<typeof DetectorRemote>], [Detector, Detector]>
>
