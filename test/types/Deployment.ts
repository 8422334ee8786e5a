import { Model, Resources } from "chorale"
import { Worker } from "chorale/node"
import { Context, Effect, Layer, Schema } from "effect"
import type { HttpRouter } from "effect/http"
import { Rpc } from "effect/rpc"
import * as Deployment from "../../src/Deployment.ts"
import type { Equal, Expect } from "./Equal.ts"

class Detector extends Model.Service<Detector>()("ocr/Detector", [Rpc.make("detect", { success: Schema.Int })]) {}
class Reader extends Model.Service<Reader>()("ocr/Reader", [Rpc.make("read", { success: Schema.Int })]) {}
class Ocr extends Model.Service<Ocr>()("ocr/Ocr", [Rpc.make("all", { success: Schema.Int })]) {}
class NoFile extends Schema.TaggedError<NoFile>()("NoFile", {}) {}
class Unlit extends Schema.TaggedError<Unlit>()("Unlit", {}) {}
class Turns extends Context.Service<Turns, { readonly run: Effect.Effect<number> }>()("Turns") {
  static readonly layer = Layer.effect(Turns, Effect.fail(new Unlit()))
}

const DetectorLive = Detector.toLayer(Effect.gen(function*() {
  const turns = yield* Turns
  if ((yield* turns.run) === 0) return yield* new NoFile()
  return { detect: () => turns.run }
})).pipe(Resources.require({ cpu: 1 }))
const ReaderLive = Reader.toLayer({ read: () => Effect.succeed(1) })
const OcrLive = Ocr.toLayer(Effect.gen(function*() {
  yield* Detector
  const reader = yield* Reader
  return { all: () => reader.read() }
}))

const detector = Deployment.unit(Detector, DetectorLive, { provide: Turns.layer, placement: "threads" })
const reader = Deployment.unit(Reader, ReaderLive)

const whole = Deployment.make("ocr", {
  detector,
  reader,
  ocr: Deployment.unit(Ocr, OcrLive, { dependsOn: [Detector, Reader], expose: true })
})

const open = Deployment.make("ocr", {
  detector,
  ocr: Deployment.unit(Ocr, OcrLive, { dependsOn: [Detector], external: [Reader] })
})

const wholeLayer = Deployment.layer(whole)
const openLayer = Deployment.layer(open)
const openServer = Deployment.server(open)

type Refusal = Deployment.DeploymentInvalid | Resources.ResourcesExhausted

export type ADeploymentGivesTheServicesOfItsUnits = Expect<
  Equal<
    typeof wholeLayer,
    Layer.Layer<Detector | Reader | Ocr, NoFile | Unlit | Refusal, Resources.Machine>
  >
>

export type AServiceOutsideIsStillNeeded = Expect<
  Equal<typeof openLayer, Layer.Layer<Detector | Ocr, NoFile | Unlit | Refusal, Resources.Machine | Reader>>
>

export type AServerNeedsWhatTheDeploymentNeeds = Expect<
  Equal<
    typeof openServer,
    Layer.Layer<never, NoFile | Unlit | Refusal, HttpRouter.HttpRouter | Resources.Machine | Reader>
  >
>

const remotes = Layer.mergeAll(
  Detector.toLayer({ detect: () => Effect.succeed(1) }),
  Reader.toLayer({ read: () => Effect.succeed(2) })
)
const ocr = Deployment.unitLayer(whole, "ocr", remotes)

export type AUnitNeedsItsGrant = Expect<Equal<typeof ocr, Layer.Layer<Ocr, never, Resources.Granted<Ocr>>>>

export const entry = (): void => Worker.run([Ocr], ocr)

const grants = Deployment.layerGrants(whole, { units: ["ocr", "reader"] })

export type GrantsAreThoseOfTheNamedUnits = Expect<
  Equal<
    typeof grants,
    Layer.Layer<
      Resources.Granted<Ocr> | Resources.Granted<Reader>,
      Resources.ResourcesExhausted,
      Resources.Machine
    >
  >
>

export const descriptions: ReadonlyArray<Deployment.DeploymentDescription> = [whole, open].map((each) =>
  Deployment.describe(each)
)
