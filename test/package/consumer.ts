/**
 * A program of a project that has installed the package. `.ci/run` compiles it against the declarations in the tarball
 * and runs the result, so the thread that holds the model is started from the published files.
 */
import { Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Effect } from "effect"
import assert from "node:assert/strict"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** An ONNX model whose output `y` is its input `x`, three numbers. */
const identity =
  "CAkSB2Nob3JhbGU6OwoQCgF4EgF5IghJZGVudGl0eRIFZ3JhcGhaDwoBeBIKCggIARIECgIIA2IPCgF5EgoKCAgBEgQKAggDQgQKABAR"

const program = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "chorale-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true }))
  )
  const path = join(folder, "identity.onnx")
  yield* Effect.promise(() => writeFile(path, identity, "base64"))
  const session = yield* Onnx.session(path)
  const x = Tensor.make("float32", [3], Float32Array.of(1, 2, 3))
  const { y } = yield* session.run({ x }, { y: Tensor.schema("float32", [3]) })
  assert.deepEqual(y, x)
})

await Effect.runPromise(Effect.scoped(program))
process.stdout.write("the model answered\n")
