/** How what runs a replica, such as a worker thread or a process, says that the replica has ended by itself. */
import { Context } from "effect"
import type * as ServiceError from "../ServiceError.ts"

/** Each is called at most once that matters, from anywhere. */
export interface ReplicaEnd {
  /** The key of the service whose replica is built. */
  readonly service: string
  /** The replica takes no further call. Called before those on it fail, whose callers may try again at once. */
  readonly withdrawn: () => void
  /** The calls on it have failed: it is released, and built again. */
  readonly ended: (reason: ServiceError.Unavailable) => void
}

/** Set while the layer of one replica is built; outside of a set of replicas nobody listens. */
export const ReplicaEnd = Context.Reference<ReplicaEnd>("chorale/internal/ReplicaEnd", {
  defaultValue: () => ({ service: "", withdrawn: () => undefined, ended: () => undefined })
})
