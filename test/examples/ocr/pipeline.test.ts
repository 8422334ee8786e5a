/** The whole pipeline on the sample pictures, in one process and with its recogniser behind HTTP. */
import { NodeFileSystem, NodeHttpClient } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Remote, Resources, Tensor } from "chorale"
import { Machine } from "chorale/node"
import { Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import sharp from "sharp"
import { OrientationClassifierLive } from "../../../examples/ocr/classifier.ts"
import { Line, Ocr, TextRecognizer, Unreadable } from "../../../examples/ocr/contracts.ts"
import { TextDetectorLive } from "../../../examples/ocr/detector.ts"
import { AllInOne } from "../../../examples/ocr/live.ts"
import { OcrLive } from "../../../examples/ocr/ocr.ts"
import { Turns } from "../../../examples/ocr/turns.ts"
import { serve } from "../../fixtures/server.ts"

const folder = new URL("../../../examples/ocr/samples/", import.meta.url)
const samples = readdirSync(folder).filter((name) => /\.(png|jpg)$/.test(name))
const sample = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)))
const expected = (name: string) => readFileSync(new URL(name.replace(/\.\w+$/, ".txt"), folder), "utf8")

/** How many characters, spaces aside, must be added, dropped or changed to make one text the other. */
const distance = (a: string, b: string): number => {
  const [from, to] = [a.replace(/\s+/g, ""), b.replace(/\s+/g, "")]
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[to.length]!
}

const read = (image: Uint8Array) => Ocr.use((ocr) => ocr.read({ image }))

const decodeFailure = Schema.decodeUnknownSync(Schema.Struct({ _tag: Schema.String, error: Schema.String }))
const decodeLines = Schema.decodeUnknownSync(Schema.Array(Line))

const blank = (width: number, height: number) =>
  Effect.promise(() => sharp({ create: { width, height, channels: 3, background: "white" } }).png().toBuffer())

const pipeline = AllInOne.pipe(Layer.provide(Machine.layer))

layer(pipeline, { excludeTestServices: true, timeout: "60 seconds" })("the OCR pipeline", (it) => {
  for (const name of samples) {
    it.effect(`reads ${name}, with at most one character in fifty wrong`, () =>
      Effect.gen(function*() {
        const lines = yield* read(sample(name))
        const text = lines.map((line) => line.text).join("\n")
        assert.isAtMost(distance(text, expected(name)), expected(name).length / 50, text)
        for (const { confidence } of lines) assert.isTrue(confidence >= 0.5 && confidence <= 1)
      }))
  }

  it.effect("gives each line its corners in the pixels of the picture, clockwise from the top left", () =>
    Effect.gen(function*() {
      const image = sample("sign.jpg")
      const { height = 0, width = 0 } = yield* Effect.promise(() => sharp(image).metadata())
      for (const { box: [topLeft, topRight, bottomRight, bottomLeft] } of yield* read(image)) {
        assert.isBelow(topLeft[0], topRight[0])
        assert.isBelow(topLeft[1], bottomLeft[1])
        assert.isBelow(bottomLeft[0], bottomRight[0])
        for (const [x, y] of [topLeft, topRight, bottomRight, bottomLeft]) {
          assert.isTrue(x >= 0 && x <= width && y >= 0 && y <= height)
        }
      }
    }))

  it.effect("says why a file cannot be read", () =>
    Effect.gen(function*() {
      const whole = sample("sign.jpg")
      const files = {
        empty: new Uint8Array(0),
        "not an image": new TextEncoder().encode("no picture"),
        damaged: whole.subarray(0, whole.length / 2),
        "too large": yield* blank(40_000, 1)
      } as const
      for (const [reason, file] of Object.entries(files)) {
        const error = yield* Effect.flip(read(file))
        assert.instanceOf(error, Unreadable)
        assert.strictEqual(error.reason, reason)
      }
    }))

  it.effect("reads nothing in a picture of one pixel", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read(yield* blank(1, 1)), [])
    }))

  it.effect("answers bad pictures over HTTP with 422 while it reads another", () =>
    Effect.gen(function*() {
      const url = `${yield* serve(Ocr, Layer.succeedContext(yield* Effect.context<Ocr>()))}/${Ocr.key}/read`
      const post = (body: Uint8Array<ArrayBuffer>) =>
        Effect.promise(async () => {
          const response = await fetch(url, { method: "POST", headers: { "content-type": "image/jpeg" }, body })
          const json: unknown = await response.json()
          return { status: response.status, json }
        })
      const good = yield* Effect.forkChild(post(sample("sign.jpg")))
      for (const body of [sample("sign.jpg").slice(0, 1000), new TextEncoder().encode("no picture")]) {
        const { json, status } = yield* post(body)
        assert.strictEqual(status, 422)
        const failure = decodeFailure(json)
        assert.strictEqual(failure._tag, "Unreadable")
        assert.include(failure.error, "cannot be read as a picture")
      }
      const { json, status } = yield* Fiber.join(good)
      assert.strictEqual(status, 200)
      assert.include(decodeLines(json).map((line) => line.text), "Parking")
    }))

  it.effect("gives the same lines with its recogniser behind HTTP", () =>
    Effect.gen(function*() {
      const url = yield* serve(TextRecognizer, Layer.succeedContext(yield* Effect.context<TextRecognizer>()))
      const recognizer = Remote.layerHttp(TextRecognizer, { url }).pipe(Layer.provide(NodeHttpClient.layerUndici))
      const distributed = OcrLive.pipe(
        Layer.provide([TextDetectorLive, OrientationClassifierLive, recognizer]),
        Layer.provide(Resources.layer([TextDetectorLive, OrientationClassifierLive])),
        Layer.provide([Machine.layer, NodeFileSystem.layer, Turns.layer])
      )
      for (const name of ["sign.jpg", "receipt.png"]) {
        const local = yield* read(sample(name))
        const remote = yield* Effect.provide(read(sample(name)), distributed, { local: true })
        assert.isAbove(local.length, 3)
        assert.deepStrictEqual(remote, local)
      }
    }))

  it.effect("interrupts the recogniser of a line when the caller goes away", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const waits = TextRecognizer.toLayer({
        recognize: () =>
          Deferred.succeed(started, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
      })
      const url = yield* serve(TextRecognizer, waits)
      yield* Effect.gen(function*() {
        const recognizer = yield* TextRecognizer
        const call = yield* Effect.forkChild(recognizer.recognize({ line: Tensor.zeros("uint8", [48, 48, 3]) }))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(call)
        yield* Deferred.await(interrupted)
      }).pipe(Effect.provide(
        Remote.layerHttp(TextRecognizer, { url }).pipe(Layer.provide(NodeHttpClient.layerUndici))
      ))
    }))
})
