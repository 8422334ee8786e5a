/** Models in files that are replaced while they are called. */
import { assert, describe, it } from "@effect/vitest"
import { Model, Residency, Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Context, Effect, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { writeFile } from "node:fs/promises"
import * as Models from "../fixtures/onnx.ts"
import { tagOf } from "../traffic/work.ts"

class Spinner extends Model.Service<Spinner>()("test/Spinner", [
  Rpc.make("spin", { payload: { iterations: Schema.Int }, success: Schema.Finite })
]) {}

const Matrix = Tensor.schema("float32", Models.spinShape)

const ones = Tensor.make("float32", Models.spinShape, new Float32Array(Tensor.size(Models.spinShape)).fill(1))

/** Answers 1 for the first version of the file, and 0 for the second. */
const spinnerOf = (path: string) =>
  Spinner.toLayer(Effect.gen(function*() {
    const session = yield* Onnx.session(path)
    return {
      spin: ({ iterations }) =>
        session.run({ x: ones, iterations: Tensor.make("int64", [1], BigInt64Array.of(BigInt(iterations))) }, {
          y: Matrix
        }).pipe(Effect.map(({ y }) => y.data[0] ?? NaN), Onnx.orUnavailable)
    }
  })).pipe(Residency.idle({ timeToLive: "1 minute" }))

const write = (path: string, bytes: Uint8Array) => Effect.promise(() => writeFile(path, bytes))

describe("a model file that is replaced", () => {
  it.live("is used by the calls that begin after the swap, while those that run end on the old one", () =>
    Effect.gen(function*() {
      const path = yield* Models.file(Models.spin(1))
      const context = yield* Layer.build(spinnerOf(path))
      const spinner = Context.get(context, Spinner)
      const loaded = Effect.provide(Residency.loaded(Spinner), context)
      assert.strictEqual(yield* spinner.spin({ iterations: 1 }), 1)
      // A second and more, in which the new model is loaded.
      const old = yield* Effect.forkChild(spinner.spin({ iterations: 50_000 }), { startImmediately: true })
      assert.deepStrictEqual((yield* loaded).map(({ calls }) => calls), [1])
      yield* write(path, Models.spin(0))
      yield* Effect.provide(Residency.reload(Spinner), context)
      assert.strictEqual(yield* spinner.spin({ iterations: 1 }), 0)
      assert.strictEqual(yield* Fiber.join(old), 1)
      assert.strictEqual(yield* spinner.spin({ iterations: 1 }), 0)
    }))

  it.live("leaves the old one in use where the new one is no model", () =>
    Effect.gen(function*() {
      const path = yield* Models.file(Models.spin(1))
      const context = yield* Layer.build(spinnerOf(path))
      const spinner = Context.get(context, Spinner)
      assert.strictEqual(yield* spinner.spin({ iterations: 1 }), 1)
      yield* write(path, new TextEncoder().encode("no model"))
      const error = yield* Effect.flip(Effect.provide(Residency.reload(Spinner), context))
      assert.strictEqual(tagOf(error), "Unavailable")
      assert.strictEqual(yield* spinner.spin({ iterations: 1 }), 1)
    }))
})
