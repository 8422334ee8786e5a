import { assert, describe, it } from "@effect/vitest"
import { Resources } from "chorale"
import { Machine } from "chorale/node"
import { Effect } from "effect"

const twoGpus = "0, NVIDIA H200, 143771\n1, NVIDIA L4, 23034\n"

describe("Machine", () => {
  it.effect("has at least one core and some memory", () =>
    Effect.gen(function*() {
      const { inventory } = yield* Resources.Machine
      assert.isAtLeast(inventory.cpu, 1)
      assert.isAbove(inventory.memory, 0)
    }).pipe(Effect.provide(Machine.layer)))

  it("reads GPUs with their memory in bytes, and nothing from an error message", () => {
    assert.deepStrictEqual(Machine.parseGpus(twoGpus), [
      { index: 0, name: "NVIDIA H200", memory: 143771 * 2 ** 20 },
      { index: 1, name: "NVIDIA L4", memory: 23034 * 2 ** 20 }
    ])
    assert.deepStrictEqual(Machine.parseGpus(""), [])
    assert.deepStrictEqual(Machine.parseGpus("NVIDIA-SMI has failed, because it couldn't, communicate"), [])
  })

  it("leaves out the GPUs that CUDA_VISIBLE_DEVICES hides", () => {
    const gpus = Machine.parseGpus(twoGpus)
    assert.deepStrictEqual(Machine.visibleGpus(gpus, undefined), gpus)
    assert.deepStrictEqual(Machine.visibleGpus(gpus, "1").map(({ index }) => index), [1])
    assert.deepStrictEqual(Machine.visibleGpus(gpus, ""), [])
  })

  it("takes the memory limit of a control group only where it is one", () => {
    assert.strictEqual(Machine.memoryLimit(8, 4), 4)
    assert.strictEqual(Machine.memoryLimit(8, 0), 8)
    assert.strictEqual(Machine.memoryLimit(8, undefined), 8)
    assert.strictEqual(Machine.memoryLimit(8, 2 ** 60), 8)
  })
})
