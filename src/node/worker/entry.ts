/** What runs in a thread or a process that serves services to whoever started it. */
import { Cause, Context, Effect, Exit, Layer, type Scope } from "effect"
import { RpcServer } from "effect/rpc"
import * as Net from "node:net"
import { isMainThread, type MessagePort, parentPort, workerData } from "node:worker_threads"
import type * as Model from "../../Model.ts"
import * as Resources from "../../Resources.ts"
import * as ServerProtocol from "../socket/serverProtocol.ts"
import * as Memory from "./memory.ts"
import * as Orphans from "./orphans.ts"
import * as PortServerProtocol from "./portServerProtocol.ts"
import {
  callsDescriptor,
  type FromReplica,
  type ProcessStart,
  type Share,
  type Start,
  startKey,
  type ThreadStart,
  type ToReplica,
  type Written
} from "./replica.ts"
import * as Usage from "./usage.ts"

type Services = ReadonlyArray<Model.Any>

type Protocol = Effect.Effect<RpcServer.Protocol["Service"], never, Scope.Scope>

/** The services of a layer, which is built with what was granted to this replica. */
type Build = (granted: Layer.Layer<never>) => Layer.Layer<never, unknown, RpcServer.Protocol>

/** Serves the services until whoever started this thread or process says that it is enough. */
export const run = (services: Services, build: Build): void => {
  const keys = services.map(({ key }) => key)
  if (!isMainThread && parentPort !== null && isStarted(workerData)) {
    const start = workerData[startKey]
    return runThread(keys, withShare(services, build, start), parentPort, start.calls)
  }
  const text = process.env[startKey]
  if (text === undefined || process.send === undefined) throw new Error(notStarted)
  delete process.env[startKey]
  const start: ProcessStart = JSON.parse(text)
  runProcess(keys, withShare(services, build, start), start)
}

const notStarted =
  "Worker.run is for a module that Worker.layerThread or Worker.layerProcess starts; this one was started otherwise"

const isStarted = (data: unknown): data is { readonly [startKey]: ThreadStart } =>
  typeof data === "object" && data !== null && startKey in data

const withShare = (services: Services, build: Build, { share }: Start) => build(granted(services, share))

const granted = (services: Services, share: Share | undefined): Layer.Layer<never> => {
  const grant = { replicas: 1, threads: share?.threads ?? 1, gpus: share === undefined ? [] : [share.gpus] }
  let context: Context.Context<never> = share === undefined
    ? Context.empty()
    : Context.make(Resources.Grant, grant)
  for (const service of services) context = Context.add(context, Resources.granted(service), grant)
  return Layer.succeedContext(context)
}

const serve = (
  services: ReadonlyArray<string>,
  layer: Layer.Layer<never, unknown, RpcServer.Protocol>,
  protocol: Protocol,
  say: (message: FromReplica) => void,
  beforeReady: Effect.Effect<void> = Effect.void
) =>
  Layer.build(Layer.provide(layer, Layer.effect(RpcServer.Protocol, protocol))).pipe(
    Effect.andThen(beforeReady),
    Effect.andThen(Effect.sync(() => say({ _tag: "Ready", services }))),
    Effect.andThen(Effect.never),
    Effect.scoped
  )

/** Why it ended, unless it was told to. */
const failure = (exit: Exit.Exit<unknown, unknown>): FromReplica | undefined =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)
    ? undefined
    : { _tag: "Failed", detail: Cause.pretty(exit.cause) }

const isClose = (said: unknown): said is ToReplica =>
  typeof said === "object" && said !== null && "_tag" in said && said._tag === "Close"

const runThread = (
  services: ReadonlyArray<string>,
  layer: Layer.Layer<never, unknown, RpcServer.Protocol>,
  port: MessagePort,
  calls: MessagePort
) => {
  forwardOutput(port)
  port.on("message", (said: unknown) => {
    if (isClose(said)) fiber.interruptUnsafe()
  })
  const protocol = PortServerProtocol.make(calls)
  const fiber = Effect.runFork(serve(services, layer, protocol, (said) => port.postMessage(said)))
  // Nothing else keeps the thread alive; what it has written is read to its end.
  fiber.addObserver((exit) => {
    const failed = failure(exit)
    if (failed !== undefined) {
      process.exitCode = 1
      port.postMessage(failed)
    }
    calls.close()
    port.close()
  })
}

const forwardOutput = (port: MessagePort) => {
  for (const stream of ["stdout", "stderr"] as const) {
    process[stream]._writev = (chunks, done) => {
      for (const { chunk } of chunks) {
        const written: Written = { _tag: "Output", stream, chunk }
        port.postMessage(written)
      }
      done()
    }
  }
}

const runProcess = (
  services: ReadonlyArray<string>,
  layer: Layer.Layer<never, unknown, RpcServer.Protocol>,
  { maxFrameSize, watches }: ProcessStart
) => {
  if (watches !== undefined) Orphans.watch(watches)
  Usage.answer()
  process.on("disconnect", () => process.exit(1))
  // A terminal and a service manager signal a parent and its children alike; how the children end is up to the parent.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined)
  // How many calls there are at a time is up to the one who started this process.
  const limits = { maxFrameSize, maxCalls: Infinity, frameTimeout: "1 hour" } as const
  const protocol = Effect.map(ServerProtocol.make(limits), ({ accept, protocol }) => {
    accept(new Net.Socket({ fd: callsDescriptor, readable: true, writable: true }))
    return protocol
  })
  const fiber = Effect.runFork(serve(services, layer, protocol, (said) => process.send?.(said), Memory.release))
  process.on("message", (said) => {
    if (isClose(said)) fiber.interruptUnsafe()
  })
  fiber.addObserver((exit) => {
    const failed = failure(exit)
    if (failed === undefined) process.exit(0)
    else process.send?.(failed, undefined, {}, () => process.exit(1))
  })
}
