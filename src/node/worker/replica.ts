/** What the thread of a service and the process of a service have in common, and what is said to both besides calls. */
import type { Effect } from "effect"
import type { RpcClient } from "effect/rpc"
import type { MessagePort } from "node:worker_threads"
import type { WorkerError } from "./WorkerError.ts"

/** A thread or a process that is ready for calls. The end of the scope that it was started in ends it. */
export interface Replica {
  readonly name: string
  /** Of the thread or the process, as the operating system or Node counts them. */
  readonly id: number
  readonly protocol: RpcClient.Protocol["Service"]
  /** Succeeds when it has ended without being asked to. */
  readonly lost: Effect.Effect<WorkerError>
}

/** What one replica may use of the machine. */
export interface Share {
  readonly threads: number
  /** The GPUs by the numbers under which the replica sees them. */
  readonly gpus: ReadonlyArray<number>
}

/** What a replica is told when it starts, wherever it runs. */
export interface Start {
  readonly share: Share | undefined
}

/** What a thread is told when it starts. */
export interface ThreadStart extends Start {
  /** Where calls arrive. */
  readonly calls: MessagePort
}

/** What a process is told when it starts. */
export interface ProcessStart extends Start {
  readonly maxFrameSize: number
  /** The process whose end it watches for itself, where the operating system does not. */
  readonly watches: number | undefined
}

/** Under which a thread finds what it is started with among its data, and a process in its environment. */
export const startKey = "CHORALE_WORKER"

/** The file descriptor over which a process is called. */
export const callsDescriptor = 3

export type FromReplica =
  | { readonly _tag: "Ready"; readonly services: ReadonlyArray<string> }
  | { readonly _tag: "Failed"; readonly detail: string }

/** What a thread wrote. Node would forward it too, but reading that keeps the program from ending. */
export interface Written {
  readonly _tag: "Output"
  readonly stream: "stdout" | "stderr"
  readonly chunk: string | Uint8Array
}

export interface ToReplica {
  readonly _tag: "Close"
}

/** What every replica is started from. */
export interface Options {
  readonly entry: URL
  readonly name: string
  /** The services that are to be called, by their keys. */
  readonly services: ReadonlyArray<string>
  readonly share: Share | undefined
  readonly env: Readonly<Record<string, string>>
  readonly startTimeout: number
  readonly gracePeriod: number
}
