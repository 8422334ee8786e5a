import { Context } from "effect"

/**
 * What a service was given: how many replicas, how many threads each, and the GPUs of each replica by index.
 *
 * @category services
 * @since 0.1.0
 */
export interface Grant {
  readonly replicas: number
  readonly threads: number
  readonly gpus: ReadonlyArray<ReadonlyArray<number>>
}

/**
 * The share of the machine that the layer being built may use; one replica of one thread unless `require` says otherwise.
 *
 * @category services
 * @since 0.1.0
 */
export const Grant = Context.Reference<Grant>("chorale/Resources/Grant", {
  defaultValue: () => ({ replicas: 1, threads: 1, gpus: [] })
})
