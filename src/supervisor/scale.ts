/** Follows the load of a unit with the number of its replicas. */
import { Clock, Effect } from "effect"
import * as Autoscale from "../deployment/autoscale.ts"
import type { UnitDescription } from "../deployment/Description.ts"
import { isKnownOfThreads } from "../node/worker/usage.ts"
import type { Replicas } from "./replicas.ts"
import type { RunningUnit } from "./unit.ts"

/** Measures every second, and changes the number of replicas when `autoscale` says so; never ends. */
export const scale = Effect.fnUntraced(function*(unit: RunningUnit, replicas: Replicas) {
  let state = Autoscale.initial(unit.described.replicas)
  let isWarned = false
  while (true) {
    yield* Effect.sleep("1 second")
    const { name, replicas: count, scaling } = unit.described
    if (scaling === undefined) continue
    if (!isWarned && !isMeasured(unit.described)) {
      isWarned = true
      yield* Effect.logWarning(
        `${name} does not scale by cpu: Node ${process.versions.node} does not say it of threads, Node 24.6 does`
      )
    }
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

const isMeasured = ({ placement, scaling }: UnitDescription): boolean =>
  placement !== "threads" || scaling?.target.cpu === undefined || isKnownOfThreads

/** Calls that are not with a replica wait for one. */
const measure = Effect.fnUntraced(function*(unit: RunningUnit, replicas: Replicas) {
  const all = yield* replicas.status
  const ready = all.filter(({ state }) => state === "ready").map(({ name }) => name)
  const concurrency = unit.inFlight()
  const running = all.reduce((sum, { inFlight }) => sum + inFlight, 0)
  const cpu = yield* percentOfAsked(unit, ready)
  return {
    at: yield* Clock.currentTimeMillis,
    replicas: ready.length,
    concurrency,
    queue: Math.max(0, concurrency - running),
    ...(cpu === undefined ? {} : { cpu })
  }
})

/** Where nothing aims at it, nobody is asked. */
const percentOfAsked = Effect.fnUntraced(function*({ described, usage }: RunningUnit, names: ReadonlyArray<string>) {
  const { resources: { cpu: asked = 0 }, scaling } = described
  if (scaling?.target.cpu === undefined || asked === 0) return undefined
  const cores = yield* usage.cores(names)
  return cores === undefined ? undefined : 100 * cores / asked
})
