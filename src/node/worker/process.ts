/**
 * A replica in a process of its own, called over a pair of unix sockets that it inherits.
 *
 * The pair has no name: there is no file to protect or to remove, and nobody else can connect.
 */
import { Deferred, type Duration, Effect } from "effect"
import type { RpcMessage } from "effect/rpc"
import { type ChildProcess, spawn } from "node:child_process"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { codecFor } from "../../internal/bytesCodec.ts"
import { ReplicaText } from "../../internal/replicaText.ts"
import { ReplicaUsage } from "../../internal/replicaUsage.ts"
import * as ServiceError from "../../ServiceError.ts"
import * as Connection from "../socket/connection.ts"
import * as FrameReader from "../socket/frameReader.ts"
import * as Launch from "./launch.ts"
import * as LinkProtocol from "./linkProtocol.ts"
import * as Memory from "./memory.ts"
import * as Orphans from "./orphans.ts"
import * as Output from "./output.ts"
import {
  callsDescriptor,
  type FromReplica,
  type Options,
  type ProcessStart,
  type Replica,
  type Share,
  startKey,
  type ToReplica
} from "./replica.ts"
import * as Usage from "./usage.ts"
import type { WorkerError } from "./WorkerError.ts"

export interface ProcessOptions extends Options {
  readonly execArgv: ReadonlyArray<string>
  readonly killAfter: Duration.Duration
  readonly maxFrameSize: number
}

/** Starts a process and waits until it is ready; the end of the scope closes it. */
export const startProcess = Effect.fnUntraced(function*(options: ProcessOptions) {
  const command = yield* Orphans.command
  const said = Deferred.makeUnsafe<FromReplica>()
  const process = yield* Effect.acquireRelease(Effect.sync(() => open(options, command)), ({ close }) => close)
  const { child } = process
  const worded = yield* ReplicaText
  const output = yield* Output.make(options.name)
  Output.read(child.stdout, output.stdout)
  Output.read(child.stderr, output.stderr)
  const lost = Deferred.makeUnsafe<WorkerError>()
  process.onEnd(output.lastLines, (error, expected) => {
    link.close(Launch.toReason(options.name, error))
    if (!expected) Deferred.doneUnsafe(lost, Effect.succeed(error))
  })
  const link = yield* LinkProtocol.make({
    codecFor,
    send: (message) => process.send(message),
    onBusy: process.setBusy,
    onMalformed: (defect) => process.kill(`it answered with a message that is malformed: ${defect}`),
    killAfter: options.killAfter,
    onOverdue: (tag) => process.kill(`it was killed because ${tag} went on after its deadline`)
  })
  const opened = process.connect((message) => link.receive(message))
  // A Node that watches files is told by the process what it imports, over the same channel.
  child.on("message", (message: FromReplica | object) => {
    if ("_tag" in message) Deferred.doneUnsafe(said, Effect.succeed(message))
  })
  const ready = Effect.tap(
    Deferred.await(said),
    (message) => message._tag === "Ready" ? Deferred.await(opened) : Effect.void
  ).pipe(
    Effect.map((message): FromReplica =>
      message._tag === "Failed" ? { ...message, detail: worded(message.detail) } : message
    )
  )
  yield* Launch.untilReady(options, ready, Deferred.await(lost), output.lastLines)
  process.setReady()
  const usage = yield* ReplicaUsage
  usage.measuredBy(Usage.ofProcess(child))
  const replica: Replica = {
    name: options.name,
    id: child.pid ?? 0,
    protocol: link.protocol,
    lost: Deferred.await(lost)
  }
  return replica
})

const open = (options: ProcessOptions, command: Orphans.Command) => {
  const child = launch(options, command)
  const socket = child.stdio[callsDescriptor]
  const ended = Deferred.makeUnsafe<void>()
  let connection: Connection.Connection | undefined
  let closing = false
  let ready = false
  let busy = false
  let detail: string | undefined

  // A process that waits for a call must not keep the program from ending.
  const hold = () => {
    const how = busy || closing || !ready ? "ref" : "unref"
    child[how]()
    child.channel?.[how]()
    for (const stream of child.stdio) if (stream instanceof Net.Socket) stream[how]()
  }

  const kill = (why: string) => {
    detail ??= why
    child.kill("SIGKILL")
  }

  const end = (cause: unknown) => {
    if (child.pid === undefined) detail ??= String(cause)
    Deferred.doneUnsafe(ended, Effect.void)
  }
  child.on("error", end)
  child.on("close", end)
  // What inherited its output may outlive it.
  child.on("exit", () => setTimeout(end, outputTimeout, undefined))

  const onEnd = (stderr: () => ReadonlyArray<string>, use: (error: WorkerError, expected: boolean) => void) =>
    Effect.runFork(Effect.map(Deferred.await(ended), () => {
      const { exitCode, signalCode: signal } = child
      // One that has exited by itself was not killed, whatever it was that its end broke.
      const how = exitCode !== null && child.pid !== undefined
        ? `the process exited with ${exitCode}`
        : detail ?? `the process was ended by ${signal}`
      const ending = { exitCode, signal, stderr: stderr(), detail: how }
      use(Launch.toError("Crashed", options.entry, ending), closing)
    }))

  const connect = (receive: (message: RpcMessage.FromServerEncoded) => void) => {
    const opened = Deferred.makeUnsafe<void>()
    if (!(socket instanceof Net.Socket)) return opened
    const made = Connection.make<RpcMessage.FromServerEncoded>(socket, {
      maxFrameSize: options.maxFrameSize,
      pausesReading: false,
      onOpen: () => Deferred.doneUnsafe(opened, Effect.void),
      onMessage: receive,
      onClose: (_, error) => {
        if (error !== undefined) kill(`the connection to it broke: ${error.message}`)
      }
    })
    socket.on("data", (chunk: Buffer) => {
      made.receive(chunk)
      FrameReader.release(chunk)
    })
    connection = made
    return opened
  }

  const send = (message: RpcMessage.FromClientEncoded): ServiceError.Reason | undefined => {
    if (!connection?.isOpen()) return Launch.toReason(options.name, { detail: detail ?? "the process is ending" })
    const tooLarge = connection.send(message)
    return tooLarge === undefined ? undefined : new ServiceError.InvalidPayload({
      issue: `a message of ${tooLarge.length} bytes is over the limit of ${tooLarge.limit}`
    })
  }

  const goodbye: ToReplica = { _tag: "Close" }
  const close = Effect.sync(() => {
    closing = true
    hold()
    if (child.connected) child.send(goodbye, () => undefined)
  }).pipe(
    Effect.andThen(Deferred.await(ended)),
    Effect.timeoutOrElse({
      duration: options.gracePeriod,
      orElse: () => Effect.andThen(Effect.sync(() => kill("it did not end in time")), Deferred.await(ended))
    })
  )
  return {
    child,
    close,
    connect,
    kill,
    onEnd,
    send,
    setBusy: (now: boolean) => {
      busy = now
      hold()
    },
    setReady: () => {
      ready = true
      hold()
    }
  }
}

const outputTimeout = 250

const launch = (options: ProcessOptions, { prefix, watches }: Orphans.Command): ChildProcess => {
  const start: ProcessStart = { share: insideOf(options.share), maxFrameSize: options.maxFrameSize, watches }
  const [file = process.execPath, ...args] = [
    ...prefix,
    process.execPath,
    ...Launch.execArguments(process.execArgv),
    // For `Memory.release`.
    "--expose-gc",
    ...options.execArgv,
    fileURLToPath(options.entry)
  ]
  return spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe", "pipe", "ipc"],
    env: {
      ...Memory.environment,
      ...process.env,
      ...environment(options.share),
      ...options.env,
      [startKey]: JSON.stringify(start)
    }
  })
}

/** CUDA counts the devices that it is allowed to see from zero. */
const insideOf = (share: Share | undefined): Share | undefined =>
  share === undefined ? undefined : { ...share, gpus: share.gpus.map((_, index) => index) }

const environment = (share: Share | undefined): Readonly<Record<string, string>> =>
  share === undefined ? {} : {
    CUDA_VISIBLE_DEVICES: share.gpus.join(","),
    OMP_NUM_THREADS: String(share.threads),
    // With one thread, looking up a name would wait for reading a file.
    UV_THREADPOOL_SIZE: String(Math.max(2, share.threads))
  }
