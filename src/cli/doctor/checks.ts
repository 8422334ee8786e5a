/** What is looked at on this machine. */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import { formatBytes } from "../../deployment/plan.ts"
import * as Machine from "../../node/Machine.ts"

/** What was found; `note` is what only some deployments need, and `advice` what to do. */
export interface Finding {
  readonly name: string
  readonly verdict: "ok" | "note" | "failed"
  readonly detail: string
  readonly advice?: string
}

export const checks = (port: number): ReadonlyArray<Effect.Effect<Finding>> => [
  Effect.sync(() => node(process.versions.node, process.features.typescript !== false)),
  Effect.sync(() => processor(instructions())),
  memory,
  onnxRuntime,
  bundler,
  gpus,
  freePort(port)
]

/** Deployments in TypeScript are run as they are, which not every Node can, and none that was told not to. */
export const node = (version: string, runsTypeScript: boolean): Finding =>
  runsTypeScript ? { name: "Node", verdict: "ok", detail: version } : {
    name: "Node",
    verdict: "note",
    detail: version,
    advice: "It runs no TypeScript: install Node 24, or give --deployment a module in JavaScript."
  }

/** The sets of instructions that make models quicker, those first that do the most. */
const useful = ["amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "fma", "asimddp", "asimd"]

/** What an old processor lacks makes ONNX Runtime slow, and does not stop it. */
export const processor = (found: ReadonlySet<string> | undefined): Finding => {
  const has = useful.filter((name) => found?.has(name))
  const cores = `${Os.availableParallelism()} cores of ${Os.cpus()[0]?.model.trim() ?? process.arch}`
  return has.length === 0
    ? {
      name: "CPU",
      verdict: "note",
      detail: found === undefined ? cores : `${cores}, without AVX2: models run slowly`
    }
    : { name: "CPU", verdict: "ok", detail: `${cores}, with ${has.join(", ")}` }
}

/** Only Linux says. */
const instructions = (): ReadonlySet<string> | undefined => {
  try {
    const line = /^(flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[2]
    return line === undefined ? undefined : new Set(line.trim().split(/\s+/))
  } catch {
    return undefined
  }
}

const memory: Effect.Effect<Finding> = Effect.map(Machine.inventory, ({ memory }) => ({
  name: "memory",
  verdict: "ok",
  detail: formatBytes(memory)
}))

/** It is found where the program is, as a deployment finds it. */
const onnxRuntime: Effect.Effect<Finding> = Effect.tryPromise(() => import("onnxruntime-node")).pipe(
  Effect.map(({ env, listSupportedBackends }): Finding => ({
    name: "ONNX Runtime",
    verdict: "ok",
    detail: `${env.versions.node ?? env.versions.common}, for ${
      listSupportedBackends().map(({ name }) => name).join(", ")
    }`
  })),
  Effect.catch(({ cause }) =>
    Effect.succeed<Finding>(
      isMissing(cause)
        ? {
          name: "ONNX Runtime",
          verdict: "note",
          detail: "is not installed",
          advice: "Only chorale/onnx needs it: npm install onnxruntime-node"
        }
        : { name: "ONNX Runtime", verdict: "failed", detail: `does not load: ${messageOf(cause)}` }
    )
  )
)

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"

/** With it, replicas in processes start from one file; without, from the modules of their program. */
const bundler: Effect.Effect<Finding> = Effect.tryPromise(() => import("rolldown")).pipe(
  Effect.map(({ VERSION }): Finding => ({ name: "bundler", verdict: "ok", detail: `rolldown ${VERSION}` })),
  Effect.catch(({ cause }) =>
    Effect.succeed<Finding>({
      name: "bundler",
      verdict: "note",
      detail: isMissing(cause) ? "is not installed" : `does not load: ${messageOf(cause)}`,
      advice: "Replicas in processes take half as much memory again without: npm install rolldown"
    })
  )
)

const gpus: Effect.Effect<Finding> = Effect.map(Machine.inventory, ({ gpus }) =>
  gpus.length === 0
    ? { name: "GPU", verdict: "note", detail: "none that nvidia-smi shows" }
    : {
      name: "GPU",
      verdict: "ok",
      detail: gpus.map(({ memory, name }) => `${name} (${formatBytes(memory)})`).join(", ")
    })

const freePort = (port: number): Effect.Effect<Finding> =>
  Effect.callback((resume) => {
    const name = `port ${port}`
    const server = Net.createServer()
    server.on("error", (error) =>
      resume(Effect.succeed({
        name,
        verdict: "failed",
        detail: "code" in error && error.code === "EADDRINUSE" ? "something listens there" : error.message,
        advice: "Choose another with --port."
      })))
    server.listen({ host: "127.0.0.1", port }, () =>
      server.close(() => resume(Effect.succeed({ name, verdict: "ok", detail: "is free" }))))
  })

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
