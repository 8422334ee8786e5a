/** A replica in a thread of this process. */
import { Deferred, Duration, Effect } from "effect"
import type { RpcMessage } from "effect/rpc"
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads"
import { codecForClones } from "../../internal/bytesCodec.ts"
import * as ExitGuard from "../../internal/exitGuard.ts"
import { ReplicaUsage } from "../../internal/replicaUsage.ts"
import * as ServiceError from "../../ServiceError.ts"
import * as Launch from "./launch.ts"
import * as LinkProtocol from "./linkProtocol.ts"
import * as Output from "./output.ts"
import * as PortMessages from "./portMessages.ts"
import {
  type FromReplica,
  type Options,
  type Replica,
  startKey,
  type ThreadStart,
  type ToReplica,
  type Written
} from "./replica.ts"
import * as Usage from "./usage.ts"
import type { WorkerError } from "./WorkerError.ts"

/** Starts a thread and waits until it is ready; the end of the scope closes it. */
export const startThread = Effect.fnUntraced(function*(options: Options) {
  ExitGuard.install()
  const said = Deferred.makeUnsafe<FromReplica>()
  const lost = Deferred.makeUnsafe<WorkerError>()
  const thread = yield* Effect.acquireRelease(Effect.sync(() => open(options, lost)), ({ close }) => close)
  const { calls, worker } = thread
  const output = yield* Output.make(options.name)
  const send = PortMessages.makeSender((batch, transfer) => calls.postMessage(batch, transfer))
  const link = yield* LinkProtocol.make({
    codecFor: codecForClones,
    send: (message) => {
      send(message)
      return undefined
    },
    onBusy: (busy) => thread.setBusy(busy),
    onMalformed: (defect) => link.close(new ServiceError.ContractMismatch({ detail: `${options.name}: ${defect}` })),
    killAfter: Duration.infinity,
    onOverdue: () => undefined
  })
  // What the server of a thread sends is what RPC has a client receive.
  const answered = PortMessages.makeReceiver((message) => link.receive(message as RpcMessage.FromServerEncoded))
  calls.on("message", answered)
  calls.unref()
  worker.on("message", (posted: FromReplica | Written) => {
    // A Node that watches files is told by the thread what it imports, over the same port.
    if (!("_tag" in posted)) return
    if (posted._tag === "Output") output[posted.stream].push(posted.chunk)
    else Deferred.doneUnsafe(said, Effect.succeed(posted))
  })
  thread.onEnd(output.lastLines, (error) => {
    for (let left = receiveMessageOnPort(calls); left !== undefined; left = receiveMessageOnPort(calls)) {
      answered(left.message)
    }
    link.close(Launch.toReason(options.name, error))
  })
  yield* Launch.untilReady(options, Deferred.await(said), Deferred.await(lost), output.lastLines)
  thread.setReady()
  const usage = yield* ReplicaUsage
  usage.measuredBy(Usage.ofThread(worker))
  const replica: Replica = {
    name: options.name,
    id: worker.threadId,
    protocol: link.protocol,
    lost: Deferred.await(lost)
  }
  return replica
})

const open = (options: Options, lost: Deferred.Deferred<WorkerError>) => {
  // Calls have a port of their own: what a worker posts takes a turn through its events.
  const { port1: calls, port2: served } = new MessageChannel()
  const start: ThreadStart = { share: options.share, calls: served }
  const worker = new Worker(options.entry, {
    name: options.name,
    env: { ...process.env, ...options.env },
    workerData: { [startKey]: start },
    transferList: [served],
    ...Launch.threadArguments(process.execArgv)
  })
  const exited = Deferred.makeUnsafe<void>()
  let closing = false
  let detail: string | undefined
  // A thread that waits for a call must not keep the program from ending.
  let ready = false
  let busy = false
  const hold = () => {
    if (busy || closing || !ready) worker.ref()
    else worker.unref()
  }
  worker.on("error", (error: unknown) => {
    detail = error instanceof Error ? error.stack ?? error.message : String(error)
  })
  worker.on("exit", () => Deferred.doneUnsafe(exited, Effect.void))

  const onEnd = (stderr: () => ReadonlyArray<string>, use: (error: WorkerError) => void) =>
    worker.on("exit", (exitCode) => {
      const ending = {
        exitCode,
        signal: null,
        stderr: stderr(),
        detail: detail ?? `the thread exited with ${exitCode}`
      }
      const error = Launch.toError("Crashed", options.entry, ending)
      use(error)
      if (!closing) Deferred.doneUnsafe(lost, Effect.succeed(error))
    })

  const goodbye: ToReplica = { _tag: "Close" }
  const close = Effect.sync(() => {
    closing = true
    hold()
    worker.postMessage(goodbye)
  }).pipe(
    Effect.andThen(Deferred.await(exited)),
    Effect.timeoutOrElse({ duration: options.gracePeriod, orElse: () => stop(worker) })
  )
  return {
    worker,
    calls,
    close,
    onEnd,
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

/** A thread that is stopped inside native code takes the process with it: such a thread is left to itself. */
const stop = (worker: Worker): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (ExitGuard.stopThread(worker.threadId)) return Effect.asVoid(Effect.promise(() => worker.terminate()))
    worker.unref()
    return Effect.logWarning(`The thread ${worker.threadId} is busy in native code and was left to itself`)
  })
