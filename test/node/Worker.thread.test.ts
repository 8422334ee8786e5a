import { assert, describe, it, layer } from "@effect/vitest"
import { Tensor } from "chorale"
import { Effect, Exit, Fiber, Layer } from "effect"
import * as Worker from "../../src/node/Worker.ts"
import * as Models from "../fixtures/onnx.ts"
import { block, Probe } from "../fixtures/probe.ts"
import { run } from "../fixtures/program.ts"

const entry = new URL("../fixtures/probe.worker.ts", import.meta.url)

const program = (way: string, model = "") => run(new URL("../fixtures/workerProgram.ts", import.meta.url), way, model)

describe("a service in a thread", () => {
  it.live("has given its answers when it ends, also to a caller that was busy then", () =>
    Effect.gen(function*() {
      const leaving = Effect.gen(function*() {
        const service = yield* Probe
        const call = yield* Effect.forkChild(service.leave(), { startImmediately: true })
        yield* Effect.yieldNow
        yield* block(200)
        return yield* Fiber.join(call)
      })
      for (let time = 0; time < 5; time++) {
        assert.isAbove(yield* Effect.provide(leaving, Worker.layerThread(Probe, { entry })), 0)
      }
    }))

  layer(Layer.orDie(Worker.layerThread(Probe, { entry })), { excludeTestServices: true, timeout: "1 minute" })(
    "for many calls",
    (it) => {
      it.effect("gets and gives tensors in shared memory as they are", () =>
        Effect.gen(function*() {
          const service = yield* Probe
          const data = new Float32Array(new SharedArrayBuffer(4096 * 1024), 16, 1000).fill(1)
          yield* service.keep({ tensor: Tensor.make("float32", [1000], data) })
          const back = yield* service.kept()
          assert.instanceOf(back.data.buffer, SharedArrayBuffer)
          assert.strictEqual(back.data.byteOffset, 16)
          assert.strictEqual(back.data.length, 1000)
          yield* service.scribble({ value: 2 })
          assert.strictEqual(back.data[999], 2)
          assert.strictEqual(data[999], 2)
        }))

      it.effect.each([10, 100_000])(
        "gets and gives %i other elements as copies, and detaches nobody's",
        (length) =>
          Effect.gen(function*() {
            const service = yield* Probe
            const data = new Float32Array(length).fill(1)
            yield* service.keep({ tensor: Tensor.make("float32", [length], data) })
            assert.strictEqual(data.length, length)
            data.fill(3)
            const first = yield* service.kept()
            assert.strictEqual(first.data[length - 1], 1)
            yield* service.scribble({ value: 2 })
            assert.strictEqual(first.data[length - 1], 1)
            assert.strictEqual((yield* service.kept()).data[length - 1], 2)
          })
      )

      it.effect("gets of a view only what it shows", () =>
        Effect.gen(function*() {
          const service = yield* Probe
          for (const length of [3, 5000]) {
            const data = new Float32Array(100_000).fill(1).subarray(7, 7 + length)
            const back = yield* service.echo({ tensor: Tensor.make("float32", [length], data) })
            assert.deepStrictEqual(back.data, new Float32Array(length).fill(1))
            assert.strictEqual(back.data.buffer.byteLength, length * 4)
          }
        }))

      it.effect("makes a payload or an answer that cannot be written a defect of its call", () =>
        Effect.gen(function*() {
          const service = yield* Probe
          assert.isTrue(Exit.hasDies(yield* Effect.exit(service.take({ any: 1n }))))
          assert.isTrue(Exit.hasDies(yield* Effect.exit(service.bigint())))
          assert.isAbove(yield* service.number(), 0)
        }))

      it.effect("makes an answer that cannot be cloned a defect of its call", () =>
        Effect.gen(function*() {
          const service = yield* Probe
          const [exit, number] = yield* Effect.all([Effect.exit(service.function()), service.number()], {
            concurrency: "unbounded"
          })
          assert.isTrue(Exit.isFailure(exit))
          assert.isAbove(number, 0)
        }))
    }
  )

  it.live("does not keep a program from ending", () =>
    Effect.gen(function*() {
      const { code, output } = yield* program("idle-thread")
      assert.strictEqual(code, 0, output)
    }))

  it.live("keeps the code of process.exit while a model of it runs", () =>
    Effect.gen(function*() {
      const { code, output } = yield* program("exit", yield* Models.file(Models.spin()))
      assert.strictEqual(code, 5, output)
    }))

  it.live("is left alone where a model of it runs for longer than it has to end", () =>
    Effect.gen(function*() {
      const { code, output } = yield* program("impatient", yield* Models.file(Models.spin()))
      assert.strictEqual(code, 0, output)
      assert.include(output, "left to itself")
    }))

  it.live("ends after the model that runs when it is released", () =>
    Effect.gen(function*() {
      const { code, output } = yield* program("close", yield* Models.file(Models.spin()))
      assert.strictEqual(code, 0, output)
      assert.include(output, "closed")
    }))
})
