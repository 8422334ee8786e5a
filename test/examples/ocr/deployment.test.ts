import { assert, describe, it } from "@effect/vitest"
import { Deployment, Resources } from "chorale"
import { Effect, Layer, Result } from "effect"
import { readFileSync } from "node:fs"
import { Ocr } from "../../../examples/ocr/contracts.ts"
import deployment from "../../../examples/ocr/deployment.ts"

const example = (name: string) => new URL(`../../../examples/ocr/${name}`, import.meta.url)
const units = Object.keys(deployment.units)

const configurationOf = (profile?: string) =>
  Result.getOrThrow(Deployment.parseConfiguration(readFileSync(example("chorale.yaml"), "utf8"), {
    units,
    ...(profile === undefined ? {} : { profile })
  }))

describe("the deployment of the OCR example", () => {
  it.effect("is checked with each of its profiles, on a machine of two cores", () =>
    Effect.gen(function*() {
      const inventory = { cpu: 2, memory: 4 * 2 ** 30, gpus: [] }
      for (const profile of [undefined, "processes"]) {
        yield* Deployment.check(deployment, { configuration: configurationOf(profile), inventory, environment: true })
      }
      const { units } = yield* Deployment.check(deployment, { configuration: configurationOf("production") })
      assert.deepStrictEqual(units.map(({ name, replicas }) => `${name} ${replicas}`), [
        "detector 1",
        "classifier 1",
        "recognizer 2",
        "ocr 2"
      ])
      assert.deepInclude(units[2], { resources: { cpu: 1, memory: "512 MiB", replicas: { min: 1, max: 4 } } })
      assert.deepInclude(units[3], { traffic: { concurrency: 16, queue: 64, timeout: 30_000 } })
    }))

  it("is drawn and planned", () => {
    const description = Deployment.describe(deployment, configurationOf())
    assert.strictEqual(
      Deployment.draw(description),
      [
        "ocr             ocr/Ocr, 1 replica, exposed",
        "├─> detector    ocr/TextDetector, 1 replica, cpu 0.3, 400 MiB",
        "├─> classifier  ocr/OrientationClassifier, 1 replica, cpu 0.1, 100 MiB",
        "└─> recognizer  ocr/TextRecognizer, 1 to 4 replicas, cpu 0.6, 300 MiB"
      ].join("\n")
    )
    const plan = Deployment.plan(description, { cpu: 2, memory: 4 * 2 ** 30, gpus: [] })
    assert.deepStrictEqual(plan.units.map(({ name, replicas }) => `${name} ${replicas}`), [
      "detector 1",
      "classifier 1",
      "recognizer 2",
      "ocr 1"
    ])
    assert.deepStrictEqual(plan.short, [])
  })

  it.live("reads a picture in one process", () =>
    Effect.gen(function*() {
      const image = new Uint8Array(readFileSync(example("samples/sign.jpg")))
      const lines = yield* Ocr.use((ocr) => ocr.read({ image }))
      const text = readFileSync(example("samples/sign.txt"), "utf8")
      assert.strictEqual(lines.map(({ text }) => text).join(" "), text.trim().split(/\s+/).join(" "))
    }).pipe(
      Effect.provide(
        Deployment.layer(deployment, { configuration: configurationOf() }).pipe(
          Layer.provide(Resources.layerMachine({ cpu: 1, memory: "2 GiB", gpus: [] }))
        )
      )
    ))
})
