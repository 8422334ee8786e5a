/**
 * The calls that a replica still works on although their callers have gone.
 *
 * A caller that leaves frees its replica only when the replica has stopped: the connection to a replica counts these
 * calls here, where the balancer looks.
 */
import { Context } from "effect"

/** One for each replica; the connection counts up when a caller leaves, and down when the replica answers or is gone. */
export interface ReplicaLoad {
  abandoned: number
  /** Called when a number went down; a balancer that is full hands out the slot. */
  onFreed: () => void
}

/** Set while the connection of one replica is built; outside of a balancer nobody looks at it. */
export const ReplicaLoad = Context.Reference<ReplicaLoad>("chorale/internal/ReplicaLoad", {
  defaultValue: () => ({ abandoned: 0, onFreed: () => undefined })
})
