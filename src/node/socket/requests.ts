/** The requests on one connection of a client that the server has not answered. */
import type { RpcMessage } from "effect/rpc"
import { CallMap } from "../../internal/callMap.ts"
import type { ReplicaLoad } from "../../internal/replicaLoad.ts"

export type RequestId = string | number

/** A request whose caller waits for its answer. */
export interface Waiting {
  readonly clientId: number
  readonly tag: string
}

export class Requests {
  private readonly load: ReplicaLoad
  private readonly waiting = new CallMap<RequestId, Waiting>()
  /** Those whose callers have gone. */
  private readonly abandoned = new Set<RequestId>()

  constructor(load: ReplicaLoad) {
    this.load = load
  }

  isEmpty(): boolean {
    return this.waiting.size === 0 && this.abandoned.size === 0
  }

  isWaiting(id: RequestId): boolean {
    return this.waiting.has(id)
  }

  add(id: RequestId, request: Waiting): void {
    this.waiting.set(id, request)
  }

  /** Its caller has gone; the server works on it until it says that it has ended. */
  abandon(id: RequestId): void {
    this.waiting.delete(id)
    this.abandoned.add(id)
    this.load.abandoned++
  }

  /** Whose message this is, unless nobody waits for it. */
  take({ _tag, requestId }: RpcMessage.ResponseChunkEncoded | RpcMessage.ResponseExitEncoded): Waiting | undefined {
    const request = this.waiting.get(requestId)
    if (_tag === "Chunk") return request
    this.waiting.delete(requestId)
    if (this.abandoned.delete(requestId)) this.free(1)
    return request
  }

  /** No caller waits any longer; returns those that did. */
  clearWaiting(): ReadonlyArray<readonly [RequestId, Waiting]> {
    const requests = this.waiting.entries()
    this.waiting.clear()
    return requests
  }

  /** The server is gone; returns the requests whose callers wait. */
  clear(): ReadonlyArray<readonly [RequestId, Waiting]> {
    const requests = this.clearWaiting()
    const left = this.abandoned.size
    this.abandoned.clear()
    if (left > 0) this.free(left)
    return requests
  }

  private free(requests: number): void {
    this.load.abandoned -= requests
    this.load.onFreed()
  }
}
