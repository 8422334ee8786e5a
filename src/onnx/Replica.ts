/**
 * One thread with one session of a model: started, given one call at a time, and closed without ever being stopped by
 * force, because a thread that is stopped inside native code takes the process with it.
 */
import { Deferred, Effect, Exit } from "effect"
import type { Scope } from "effect"
import { basename } from "node:path"
import { Worker } from "node:worker_threads"
import * as ExitGuard from "../internal/exitGuard.ts"
import * as ExternalMemory from "../internal/externalMemory.ts"
import * as Tensor from "../Tensor.ts"
import * as Arena from "./Arena.ts"
import type { Port, Tensors } from "./feeds.ts"
import type { Answer, Named, RawPort, Request, Start } from "./messages.ts"
import { ModelNotLoadable, RunFailed, WorkerLost } from "./OnnxError.ts"

/** A call that a replica can run; `complete` is called exactly once. */
export interface Call {
  readonly feeds: Tensors
  readonly outputs: ReadonlyArray<string> | undefined
  readonly complete: (exit: Exit.Exit<Tensors, RunFailed | WorkerLost>) => void
}

export interface Signature {
  readonly inputs: ReadonlyArray<Port>
  readonly outputs: ReadonlyArray<Port>
}

export interface Replica {
  readonly index: number
  readonly loaded: Effect.Effect<Signature, ModelNotLoadable | WorkerLost>
  /** Succeeds when the thread has exited. */
  readonly exited: Effect.Effect<WorkerLost>
  /** Gives the thread its next call. Only for a replica that is loaded and has none. */
  readonly run: (call: Call) => void
}

export interface Options {
  readonly entry: URL
  readonly path: string
  readonly index: number
  readonly session: object
  /** The thread has answered and can be given its next call at once. */
  readonly onFree: (replica: Replica) => void
  readonly onExit: (replica: Replica) => void
}

/** Starts a thread; the end of the scope waits for the call under way, then closes the session and waits for the thread. */
export const start = (options: Options): Effect.Effect<Replica, never, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(Effect.sync(() => open(options)), ({ close }) => close), ({ replica }) => replica)

const open = ({ entry, onExit, onFree, path, index, session }: Options) => {
  const flags = ExitGuard.acquire()
  const arena = Arena.make()
  const loaded = Deferred.makeUnsafe<Signature, ModelNotLoadable | WorkerLost>()
  const exited = Deferred.makeUnsafe<WorkerLost>()
  const start: Start = { path, flags, options: session }
  const worker = new Worker(entry, {
    name: `onnx ${basename(path)} ${index}`,
    workerData: start,
    ...(process.execArgv.some((argument) => argument.startsWith("--input-type")) ? fileArguments : {})
  })
  let current: Call | undefined
  let closing = false
  let cause = "the thread ended on its own"

  const send = (request: Request) => worker.postMessage(request)

  // A thread that waits for a call must not keep the program from ending.
  const rest = () => {
    if (current === undefined && !closing) worker.unref()
  }
  const settle = (exit: Exit.Exit<Tensors, RunFailed>) => {
    const call = current
    current = undefined
    onFree(replica)
    rest()
    call?.complete(exit)
  }

  const replica: Replica = {
    index,
    loaded: Deferred.await(loaded),
    exited: Deferred.await(exited),
    run(call) {
      current = call
      worker.ref()
      try {
        send({ _tag: "Run", feeds: arena.write(call.feeds), outputs: call.outputs })
      } catch (cause) {
        settle(Exit.fail(new RunFailed({ path, detail: `its inputs could not be sent: ${cause}` })))
      }
    }
  }

  worker.on("message", (answer: Answer) => {
    switch (answer._tag) {
      case "Loaded":
        rest()
        return Deferred.doneUnsafe(loaded, signature(path, answer))
      case "NotLoadable":
        return Deferred.doneUnsafe(loaded, Exit.fail(new ModelNotLoadable({ path, detail: answer.detail })))
      case "Done":
        return settle(Exit.succeed(tensors(answer.outputs)))
      case "Failed":
        return settle(Exit.fail(new RunFailed({ path, detail: answer.detail })))
    }
  })
  worker.on("error", (error) => {
    cause = error instanceof Error ? error.message : String(error)
  })
  worker.on("exit", (exitCode) => {
    ExitGuard.release(flags)
    const lost = new WorkerLost({ path, replica: index, exitCode, detail: cause })
    const call = current
    current = undefined
    onExit(replica)
    Deferred.doneUnsafe(loaded, Exit.fail(lost))
    Deferred.doneUnsafe(exited, Exit.succeed(lost))
    call?.complete(Exit.fail(lost))
  })

  const close = Effect.andThen(
    Effect.sync(() => {
      closing = true
      worker.ref()
      send({ _tag: "Close" })
    }),
    replica.exited
  )
  return { replica, close }
}

/** A thread inherits the arguments of Node, and does not start with one that says how to read a program from a string. */
const fileArguments = { execArgv: [] }

const signature = (
  path: string,
  { inputs, outputs }: { readonly inputs: ReadonlyArray<RawPort>; readonly outputs: ReadonlyArray<RawPort> }
): Exit.Exit<Signature, ModelNotLoadable> => {
  const refused = [...inputs, ...outputs].find((port) => !isDtype(port.dtype))
  return refused === undefined
    ? Exit.succeed({ inputs: inputs.filter(isPort).map(named), outputs: outputs.filter(isPort).map(named) })
    : Exit.fail(
      new ModelNotLoadable({
        path,
        detail: `"${refused.name}" is ${refused.dtype}, and a tensor can hold only ${Tensor.dtypes.join(", ")}`
      })
    )
}

const isDtype = (name: string): boolean => (Tensor.dtypes as ReadonlyArray<string>).includes(name)

const isPort = (port: RawPort): port is Port => isDtype(port.dtype)

/** Exporters write these where a dimension has no name; two of them need not be the same size. */
const anonymous = new Set(["", "?", "None", "unk"])

/** Gives each dimension without a name one of its own. */
const named = (port: Port): Port => ({
  ...port,
  shape: port.shape.map((dimension, axis) =>
    typeof dimension === "string" && anonymous.has(dimension) ? `${port.name}.${axis}` : dimension
  )
})

const tensors = (outputs: ReadonlyArray<Named>): Tensors => {
  const results: Record<string, Tensor.Tensor> = {}
  for (const [name, dtype, shape, data] of outputs) {
    ExternalMemory.allocated(data.byteLength)
    results[name] = dtype === "float16" && !(data instanceof Uint16Array)
      ? { dtype, shape, data: new Uint16Array(data.buffer, data.byteOffset, data.length) }
      : { dtype, shape, data }
  }
  return results
}
