/** The limits of a batch, with what is left out filled in. */
import { Duration, Effect } from "effect"
import * as Resources from "../../Resources.ts"
import type { Settings } from "./dispatcher.ts"

interface Options {
  readonly name?: string
  readonly maxSize?: number
  readonly executors?: number
  readonly maxCost?: number
  readonly maxQueue?: number
  readonly hold?: { readonly minSize?: number; readonly maxDelay: Duration.Input }
}

/** Limits that make no sense are a defect: they are written in the program. */
export const resolve = Effect.fnUntraced(function*(options: Options) {
  const { maxCost = Infinity, maxQueue = 1024, maxSize = 32, name = "batch" } = options
  const executors = options.executors ?? (yield* Resources.Grant).replicas
  const minSize = options.hold?.minSize ?? maxSize
  const wrong = [
    { limit: "maxSize", value: maxSize, least: 1, whole: true },
    { limit: "executors", value: executors, least: 1, whole: true },
    { limit: "maxQueue", value: maxQueue, least: 0, whole: true },
    { limit: "hold.minSize", value: minSize, least: 1, whole: true },
    { limit: "maxCost", value: maxCost, least: Number.MIN_VALUE, whole: false }
  ].find(({ least, value, whole }) => !(value >= least && (!whole || Number.isSafeInteger(value))))
  if (wrong !== undefined) {
    const { least, limit, value, whole } = wrong
    const wanted = whole ? `a whole number of at least ${least}` : "a number above 0"
    return yield* Effect.die(new RangeError(`${name}: ${limit} must be ${wanted}, not ${value}`))
  }
  const settings: Settings = {
    executors,
    limit: { items: maxSize, cost: maxCost },
    maxQueue,
    hold: options.hold === undefined ? undefined : {
      minSize: Math.min(minSize, maxSize),
      maxDelay: Duration.toMillis(Duration.fromInputUnsafe(options.hold.maxDelay))
    }
  }
  return settings
})
