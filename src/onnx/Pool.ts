/**
 * The replicas that are free and the calls that wait for one, first come first served.
 *
 * Everything here is synchronous: a call is either waiting, with a replica, or complete, and never between the two.
 */
import { Exit } from "effect"
import type { Tensors } from "./feeds.ts"
import type { BadFeeds, RunFailed, SessionClosed, WorkerLost } from "./OnnxError.ts"
import type { Replica } from "./Replica.ts"

export interface Call {
  readonly feeds: Tensors
  readonly outputs: ReadonlyArray<string> | undefined
  readonly complete: (exit: Exit.Exit<Tensors, BadFeeds | RunFailed | WorkerLost | SessionClosed>) => void
}

export interface Pool {
  readonly submit: (call: Call) => void
  /** Takes back a call that still waits; a call that runs is left alone. */
  readonly withdraw: (call: Call) => void
  /** A replica is ready for its first call. */
  readonly add: (replica: Replica) => void
  /** A replica has answered. One that was never added is still warming up and is ignored. */
  readonly free: (replica: Replica) => void
  /** The thread of a replica has exited; it will be started again. */
  readonly remove: (replica: Replica) => void
  /** A replica could not be started again. When none is left, calls fail with that error until one is. */
  readonly lose: (error: WorkerLost) => void
  /** From now on every call fails with that error, and so do those that wait. */
  readonly close: (error: SessionClosed) => void
}

export const make = (replicas: number, check: (feeds: Tensors) => BadFeeds | undefined): Pool => {
  const waiting = new Set<Call>()
  const idle: Array<Replica> = []
  const added = new Set<Replica>()
  const lost = new Set<number>()
  let refusal: WorkerLost | SessionClosed | undefined

  const refuse = (error: WorkerLost | SessionClosed) => {
    refusal = error
    const refused = [...waiting]
    waiting.clear()
    for (const call of refused) call.complete(Exit.fail(error))
  }
  const dispatch = () => {
    for (const call of waiting) {
      if (idle.length === 0) return
      waiting.delete(call)
      // The caller may have changed its tensors while the call was waiting.
      const bad = check(call.feeds)
      if (bad === undefined) idle.pop()!.run(call)
      else call.complete(Exit.fail(bad))
    }
  }

  return {
    submit(call) {
      if (refusal !== undefined) return call.complete(Exit.fail(refusal))
      const replica = idle.pop()
      if (replica === undefined) waiting.add(call)
      else replica.run(call)
    },
    withdraw(call) {
      waiting.delete(call)
    },
    add(replica) {
      lost.delete(replica.index)
      if (refusal?._tag === "WorkerLost") refusal = undefined
      added.add(replica)
      idle.push(replica)
      dispatch()
    },
    free(replica) {
      if (!added.has(replica)) return
      idle.push(replica)
      dispatch()
    },
    remove(replica) {
      added.delete(replica)
      const position = idle.indexOf(replica)
      if (position >= 0) idle.splice(position, 1)
    },
    lose(error) {
      lost.add(error.replica)
      if (lost.size === replicas) refuse(error)
    },
    close: refuse
  }
}
