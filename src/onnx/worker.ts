/**
 * The thread of one replica: one session, one call at a time, closed only after the calls before it.
 */
import { setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import type { InferenceSession, Tensor } from "onnxruntime-node"
import { native } from "../internal/exitGuard.ts"
import type { Answer, Named, RawPort, Request, Start } from "./messages.ts"

const port = parentPort!
const { flags, options, path }: Start = workerData

/** Node before 22.21, and 24 before 24.9, refuses typed arrays in shared memory as arguments of native code. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const readsSharedMemory = major === 22 ? minor >= 21 : major === 24 ? minor >= 9 : major > 24

/**
 * The event loop comes first where models take every core: with the same priority it waits for its share of a core.
 *
 * Linux has a priority for each thread, which the threads that ONNX Runtime starts here inherit; elsewhere it belongs to
 * the process and is left alone.
 */
const yieldToEventLoop = () => {
  if (process.platform !== "linux") return
  try {
    setPriority(0, 10)
  } catch {
    // A sandbox may forbid it, and then all threads are equal.
  }
}

const answer = (message: Answer, transfer: ReadonlyArray<ArrayBuffer> = []) => port.postMessage(message, transfer)

const detailOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const load = async () => {
  const { default: ort } = await import("onnxruntime-node")
  return { ort, session: await ort.InferenceSession.create(path, options) }
}

const ports = (metadata: ReadonlyArray<InferenceSession.ValueMetadata>): ReadonlyArray<RawPort> =>
  metadata.map((port) =>
    port.isTensor
      ? { name: port.name, dtype: port.type, shape: port.shape }
      : { name: port.name, dtype: "not a tensor", shape: [] }
  )

const serve = ({ ort, session }: Awaited<ReturnType<typeof load>>) => {
  const tensorOf = ([, type, dims, shared]: Named): Tensor => {
    const data = readsSharedMemory ? shared : shared.slice()
    // Where Float16Array exists, the constructor of Tensor makes one and the addon then finds no elements in it.
    return type === "float16"
      ? { type, dims, data, location: "cpu" } as unknown as Tensor
      : new ort.Tensor(type, data, dims)
  }
  const run = async (feeds: ReadonlyArray<Named>, outputs: ReadonlyArray<string>) => {
    const tensors: Record<string, Tensor> = {}
    for (const feed of feeds) tensors[feed[0]] = tensorOf(feed)
    const results = await native(flags, () => session.run(tensors, outputs))
    const named: Array<Named> = []
    const transfer: Array<ArrayBuffer> = []
    // A model whose outputs are no tensors, or of another dtype than `Tensor` has, was refused when it was loaded.
    for (const name in results) {
      const { data, dims, type } = results[name] as Tensor
      named.push([name, type as Named[1], dims, data as Named[3]])
      transfer.push((data as Named[3]).buffer as ArrayBuffer)
    }
    answer({ _tag: "Done", outputs: named }, transfer)
  }
  const close = async () => {
    await native(flags, () => session.release())
    port.close()
  }
  let last = Promise.resolve()
  port.on("message", (request: Request) => {
    last = last.then(() =>
      request._tag === "Close"
        ? close()
        : run(request.feeds, request.outputs ?? session.outputNames).catch((cause) =>
          answer({ _tag: "Failed", detail: detailOf(cause) })
        )
    )
  })
  answer({ _tag: "Loaded", inputs: ports(session.inputMetadata), outputs: ports(session.outputMetadata) })
}

yieldToEventLoop()
native(flags, load).then(serve, (cause) => answer({ _tag: "NotLoadable", detail: detailOf(cause) }))
