/** The share of the processor that the replicas of a unit have. */
import { Clock, Effect, Layer } from "effect"
import { type CpuMillis, ReplicaUsage } from "../internal/replicaUsage.ts"

/** What is measured of the replicas of one unit, by their names. */
export interface Usage {
  /** What a replica of that name is built with, so that it is measured while it is there. */
  readonly layer: (name: string) => Layer.Layer<never>
  /**
   * The cores that these replicas have used since they were last asked about, the mean over them; nothing where none of
   * them has been asked before.
   */
  readonly cores: (names: ReadonlyArray<string>) => Effect.Effect<number | undefined>
}

/** Nothing is measured until it is asked for. */
export const make = (): Usage => {
  const replicas = new Map<string, CpuMillis>()
  // One that was built again counts from nothing, as another one.
  let before: ReadonlyMap<CpuMillis, Measured> = new Map()

  const register = Effect.fnUntraced(function*(name: string) {
    let measured: CpuMillis | undefined
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => measured !== undefined && replicas.get(name) === measured && replicas.delete(name))
    )
    const usage: ReplicaUsage = {
      measuredBy: (cpuMillis) => {
        measured = cpuMillis
        replicas.set(name, cpuMillis)
      }
    }
    return usage
  })

  return {
    layer: (name) => Layer.effect(ReplicaUsage, register(name)),
    cores: Effect.fnUntraced(function*(names) {
      const asked = names.flatMap((name) => replicas.get(name) ?? [])
      const now = new Map((yield* Effect.forEach(asked, measure, { concurrency: "unbounded" })).flat())
      const cores = Array.from(now).flatMap(([replica, { at, millis }]) => {
        const last = before.get(replica)
        return last === undefined || at <= last.at ? [] : [(millis - last.millis) / (at - last.at)]
      })
      before = now
      return cores.length === 0 ? undefined : cores.reduce((sum, each) => sum + each, 0) / cores.length
    })
  }
}

interface Measured {
  readonly millis: number
  /** When that was so, in milliseconds. */
  readonly at: number
}

const measure = Effect.fnUntraced(function*(replica: CpuMillis) {
  // One that computes may not answer before it is done.
  const millis = yield* Effect.timeoutOrElse(replica, { duration: "500 millis", orElse: () => Effect.undefined })
  const at = Number(yield* Clock.monotonicTimeNanos) / 1e6
  return millis === undefined ? [] : [[replica, { millis, at }] as const]
})
