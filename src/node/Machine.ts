/**
 * The machine this process runs on, as `Resources` plans with it.
 *
 * @since 0.1.0
 */
import { Effect, Layer } from "effect"
import { execFile } from "node:child_process"
import * as os from "node:os"
import * as Resources from "../Resources.ts"

const query = ["--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]

const queryGpus: Effect.Effect<Resources.Inventory["gpus"]> = Effect.callback((resume) => {
  const child = execFile("nvidia-smi", query, { timeout: 5000, windowsHide: true }, (error, stdout) => {
    resume(Effect.succeed(error === null ? parseGpus(stdout) : []))
  })
  return Effect.sync(() => child.kill())
})

/**
 * Measures what this process may use: the cores and the memory (bytes) that the operating system, its control group
 * included, leaves to it, and the GPUs that `nvidia-smi` lists.
 *
 * Without `nvidia-smi`, or when it does not answer within five seconds, there are no GPUs. GPUs that
 * `CUDA_VISIBLE_DEVICES` hides from this process are left out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const inventory: Effect.Effect<Resources.Inventory> = Effect.map(queryGpus, (gpus) => ({
  cpu: os.availableParallelism(),
  memory: memoryLimit(os.totalmem(), process.constrainedMemory()),
  gpus: visibleGpus(gpus, process.env["CUDA_VISIBLE_DEVICES"])
}))

/**
 * The machine this process runs on.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Resources.Machine> = Layer.unwrap(Effect.map(inventory, Resources.layerMachine))

/**
 * Reads the GPUs from what `nvidia-smi --query-gpu=index,name,memory.total --format=csv,noheader,nounits` prints.
 *
 * @category converting
 * @since 0.1.0
 */
export const parseGpus = (csv: string): Resources.Inventory["gpus"] =>
  csv.split("\n").flatMap((line) => {
    const [index, name, mebibytes] = line.split(",").map((cell) => cell.trim())
    if (index === undefined || name === undefined || mebibytes === undefined) return []
    const gpu = { index: Number(index), name, memory: Number(mebibytes) * 1024 * 1024 }
    return Number.isInteger(gpu.index) && Number.isFinite(gpu.memory) ? [gpu] : []
  })

/**
 * Keeps the GPUs that `CUDA_VISIBLE_DEVICES` shows: all when it is unset, else those whose index it lists.
 *
 * @category converting
 * @since 0.1.0
 */
export const visibleGpus = (
  gpus: Resources.Inventory["gpus"],
  visibleDevices: string | undefined
): Resources.Inventory["gpus"] => {
  if (visibleDevices === undefined) return gpus
  const indexes = new Set(visibleDevices.split(",").map((index) => index.trim()))
  return gpus.filter((gpu) => indexes.has(String(gpu.index)))
}

/**
 * The memory in bytes that a process may use: that of the machine, or of its control group where that is less.
 *
 * @category converting
 * @since 0.1.0
 */
export const memoryLimit = (total: number, constrained: number | undefined): number =>
  constrained !== undefined && constrained > 0 && constrained < total ? constrained : total
