/** Follows the load of a unit with the number of its replicas. */
import { Clock, Effect } from "effect"
import * as Autoscale from "../deployment/autoscale.ts"
import type { Replicas } from "./replicas.ts"
import type { RunningUnit } from "./unit.ts"

/** Measures every second, and changes the number of replicas when `autoscale` says so; never ends. */
export const scale = Effect.fnUntraced(function*(unit: RunningUnit, replicas: Replicas) {
  let state = Autoscale.initial(unit.described.replicas)
  while (true) {
    yield* Effect.sleep("1 second")
    const { name, replicas: count, scaling } = unit.described
    if (scaling === undefined) continue
    const sample = yield* measure(unit, replicas)
    // Somebody else may have changed the number.
    state = Autoscale.autoscale(scaling, { ...state, desired: count }, sample)
    if (state.desired === count) continue
    yield* Effect.logInfo(`${name} goes from ${count} to ${state.desired} replicas`)
    unit.described = { ...unit.described, replicas: state.desired }
    yield* replicas.set(state.desired)
    yield* unit.limit
  }
})

/** Calls that are not with a replica wait for one. The share of the processor that replicas have is not measured. */
const measure = Effect.fnUntraced(function*(unit: RunningUnit, replicas: Replicas) {
  const all = yield* replicas.status
  const concurrency = unit.inFlight()
  const running = all.reduce((sum, { inFlight }) => sum + inFlight, 0)
  return {
    at: yield* Clock.currentTimeMillis,
    replicas: all.filter(({ state }) => state === "ready").length,
    concurrency,
    queue: Math.max(0, concurrency - running)
  }
})
