import { Model, Residency, Traffic } from "chorale"
import { Effect, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"

class Detector extends Model.Service<Detector>()("Detector", [
  Rpc.make("detect", { success: Schema.Int }),
  Rpc.make("watch", { success: Schema.Int, stream: true })
]) {}

const DetectorLive = Detector.toLayer({ detect: () => Effect.succeed(1), watch: () => Stream.empty })
const program = Detector.use((detector) => detector.detect())

// A method that the service does not have is named.
// error: Property 'detekt' is missing in type 'Client<
DetectorLive.pipe(Traffic.limit({ concurrency: 1, methods: ["detekt"] }))

// So is one whose stream cannot be kept.
// error: The types of 'service.Identifier.Service.watch(...)' are incompatible
DetectorLive.pipe(Traffic.cache({ methods: ["watch"], capacity: "1 MiB", timeToLive: "1 minute" }))

// A layer that does not know its key has to be told.
// error: Property 'service' is missing in type 'Layer<Detector, never, never>'
DetectorLive.pipe(Layer.provide(Layer.empty), Traffic.limit({ concurrency: 1 }))

// A budget that nobody made is named.
// error: Type 'Budget<"gpu">' is not assignable to type 'never'
Effect.runPromise(program.pipe(Effect.provide(DetectorLive.pipe(Traffic.budget("gpu")))))

// So is a service that is not loaded and released as it is called.
// error: Type 'Resident<Detector>' is not assignable to type 'never'
Effect.runPromise(Residency.reload(Detector).pipe(Effect.provide(DetectorLive)))
