/** What the two orchestrators answer to the benchmark. */

export type Orchestrator = {
  /** Starts to take requests for the two services there; gives the URL of its route. */
  readonly url: (services: readonly [string, string]) => Promise<string>
  /** The CPU time that it has used, in microseconds. */
  readonly cpu: (payload: undefined) => Promise<number>
}
