/** ONNX Runtime alone in a process: one session, one call at a time. */
import { InferenceSession, Tensor } from "onnxruntime-node"
import { spinShape } from "../test/fixtures/onnx.ts"
import { answer } from "./child.ts"

export type Spinner = {
  readonly load: (path: string) => Promise<void>
  readonly run: (iterations: BigInt64Array) => Promise<void>
}

let session: InferenceSession | undefined
const x = new Tensor("float32", new Float32Array(spinShape[0] * spinShape[1]), spinShape)

answer<Spinner>({
  async load(path) {
    session = await InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  },
  async run(iterations) {
    await session!.run({ x, iterations: new Tensor("int64", iterations, [1]) })
  }
})
