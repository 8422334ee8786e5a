import { Model, Resources } from "chorale"
import { Context, Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Deployment from "../../../src/Deployment.ts"

class Detector extends Model.Service<Detector>()("ocr/Detector", [Rpc.make("detect", { success: Schema.Int })]) {}
class Reader extends Model.Service<Reader>()("ocr/Reader", [Rpc.make("read", { success: Schema.Int })]) {}
class Ocr extends Model.Service<Ocr>()("ocr/Ocr", [Rpc.make("all", { success: Schema.Int })]) {}
class Turns extends Context.Service<Turns, { readonly run: Effect.Effect<number> }>()("Turns") {
  static readonly layer = Layer.succeed(Turns, { run: Effect.succeed(1) })
}

const DetectorLive = Detector.toLayer(Effect.map(Turns, (turns) => ({ detect: () => turns.run }))).pipe(
  Resources.require({ cpu: 1 })
)
const ReaderLive = Reader.toLayer({ read: () => Effect.succeed(1) })
const OcrLive = Ocr.toLayer(Effect.gen(function*() {
  yield* Detector
  const reader = yield* Reader
  return { all: () => reader.read() }
}))

// What the layer needs and nothing gives is named.
// error: '"dependsOn, external or provide lacks"' is missing in type 'ServiceLayer<Ocr, never, Detector | Reader>' but required in type '{ readonly "dependsOn, external or provide lacks": Detector | Reader; }'
Deployment.unit(Ocr, OcrLive)

// error: required in type '{ readonly "dependsOn, external or provide lacks": Reader; }'
Deployment.unit(Ocr, OcrLive, { dependsOn: [Detector] })

// error: required in type '{ readonly "dependsOn, external or provide lacks": Detector; }'
Deployment.unit(Ocr, OcrLive, { external: [Reader], replicas: 2 })

// error: required in type '{ readonly "dependsOn, external or provide lacks": Turns; }'
Deployment.unit(Detector, DetectorLive, {})

// So is what is given and not needed.
// error: required in type '{ readonly "the layer does not need": Ocr; }'
Deployment.unit(Ocr, OcrLive, { dependsOn: [Detector, Reader, Ocr] })

// error: required in type '{ readonly "the layer does not need": Detector; }'
Deployment.unit(Reader, ReaderLive, { external: [Detector] })

// A request that was lost is told.
// error: '"Resources.require must be applied last, and what else is needed be in provide"' is missing in type 'Layer<Detector, never, Granted<Detector>>'
Deployment.unit(Detector, Layer.provide(DetectorLive, Turns.layer))

// error: Type 'Detector' is not assignable to type 'Reader'
Deployment.unit(Detector, ReaderLive)

// error: 'replica' does not exist in type 'UnitOptions
Deployment.unit(Reader, ReaderLive, { replica: 2 })

// error: Did you mean '"threads"'?
Deployment.unit(Reader, ReaderLive, { placement: "thread" })

// A service that no unit serves, and that is not said to be elsewhere, is named.
Deployment.make("ocr", {
  reader: Deployment.unit(Reader, ReaderLive),
  // error: required in type '{ readonly "no unit serves, and external does not name": Detector; }'
  ocr: Deployment.unit(Ocr, OcrLive, { dependsOn: [Detector, Reader] })
})

const deployment = Deployment.make("ocr", {
  reader: Deployment.unit(Reader, ReaderLive),
  ocr: Deployment.unit(Ocr, OcrLive, { dependsOn: [Reader], external: [Detector] })
})

// A service outside of the deployment has to be given, and the machine described.
const program = Ocr.use((ocr) => ocr.all())
// error: Type 'Detector' is not assignable to type 'never'
Effect.runPromise(program.pipe(
  Effect.provide(Deployment.layer(deployment)),
  Effect.provide(Resources.layerMachine({ cpu: 1, memory: "1 GiB", gpus: [] }))
))

// error: Argument of type '"reeder"' is not assignable to parameter of type '"ocr" | "reader"'
Deployment.unitLayer(deployment, "reeder", Layer.empty)
