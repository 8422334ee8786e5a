import { Model, Resources } from "chorale"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"

class Detector extends Model.Service<Detector>()("Detector", [Rpc.make("detect", { success: Schema.Int })]) {}
class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.Int })]) {}

const DetectorLive = Detector.toLayer({ detect: () => Effect.succeed(1) }).pipe(Resources.require({ cpu: 1 }))
const ReaderLive = Reader.toLayer({ read: () => Effect.succeed(1) }).pipe(Resources.require({ memory: "1 GiB" }))
const machine = Resources.layerMachine({ cpu: 2, memory: "1 GiB", gpus: [] })
const program = Effect.all([Detector.use((detector) => detector.detect()), Reader.use((reader) => reader.read())])
const models = Layer.mergeAll(DetectorLive, ReaderLive)

// A service whose resources were not planned is named.
const forgetful = models.pipe(Layer.provide(Resources.layer([DetectorLive])), Layer.provide(machine))
// error: Type 'Granted<Reader>' is not assignable to type 'never'
Effect.runPromise(program.pipe(Effect.provide(forgetful)))

// So is the machine that nobody described.
const nowhere = models.pipe(Layer.provide(Resources.layer([DetectorLive, ReaderLive])))
// error: Type 'Machine' is not assignable to type 'never'
Effect.runPromise(program.pipe(Effect.provide(nowhere)))

// A plan is made of layers that say what they need.
// error: Property 'request' is missing in type 'ServiceLayer<Detector
Resources.layer([Detector.toLayer({ detect: () => Effect.succeed(1) })])

// error: Type '"1 GiBi"' is not assignable to type
Resources.require({ memory: "1 GiBi" })

// error: 'gpus' does not exist in type 'Request'
Resources.require({ gpus: 1 })
