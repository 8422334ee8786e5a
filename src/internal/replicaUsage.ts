/** How what runs a replica, such as a worker thread or a process, says how much of the processor the replica has used. */
import { Context, type Effect } from "effect"

/** Milliseconds of a core since the replica was started; nothing where it is not known. */
export type CpuMillis = Effect.Effect<number | undefined>

/** Called once for each life of a replica, when it is ready. */
export interface ReplicaUsage {
  readonly measuredBy: (cpuMillis: CpuMillis) => void
}

/** Set while the layer of one replica is built; elsewhere nobody asks. */
export const ReplicaUsage = Context.Reference<ReplicaUsage>("chorale/internal/ReplicaUsage", {
  defaultValue: () => ({ measuredBy: () => undefined })
})
