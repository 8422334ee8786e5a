/**
 * The limit on concurrent calls that follows from their latency.
 *
 * It is the gradient controller of Envoy's adaptive concurrency filter, which descends from Netflix's
 * concurrency-limits (Gradient2): the latency without a queue is measured at times, at a lower limit; the limit then
 * moves with the ratio of that latency to the present one, plus room for a queue of the root of the limit.
 *
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter
 * https://github.com/Netflix/concurrency-limits
 */

/** How a gradient is made. */
export interface Options {
  readonly initial: number
  readonly min: number
  readonly max: number
  /** By what part latency may rise above that without a queue before the limit falls. */
  readonly tolerance: number
  /** Milliseconds between two measurements of the latency without a queue. */
  readonly probeMillis: number
}

/** The latency of a call that has finished, and how it went. */
export interface Sample {
  readonly now: number
  readonly millis: number
  /** The calls that ran when it finished, itself among them. */
  readonly running: number
  /** It was refused or cut off, which says that the limit is too high. */
  readonly dropped: boolean
}

/** Samples from which a latency is taken; at a higher limit, as many as the limit. */
const leastSamples = 10
const steepest = 0.5

/** What has been learned of a service. */
export class Gradient {
  readonly #options: Options
  /** With its fraction, so that small steps add up. */
  #limit: number
  #unqueued: number | undefined
  /** When the measurement at the lower limit began; calls from before that do not count for it. */
  #probing: number | undefined = -Infinity
  #nextProbe: number | undefined
  #latencies: Array<number> = []
  #mostRunning = 0
  #dropped = false

  constructor(options: Options) {
    this.#options = options
    this.#limit = options.initial
  }

  get limit(): number {
    const { min } = this.#options
    return Math.floor(this.#probing === undefined ? this.#limit : Math.max(min, this.#limit / 2))
  }

  add({ dropped, millis, now, running }: Sample): void {
    this.#nextProbe ??= now + this.#options.probeMillis
    if (this.#probing !== undefined && now - millis < this.#probing) return
    this.#latencies.push(millis)
    this.#mostRunning = Math.max(this.#mostRunning, running)
    this.#dropped ||= dropped
    if (this.#latencies.length < Math.max(leastSamples, this.limit)) return
    const latency = median(this.#latencies)
    if (this.#probing !== undefined) this.#endProbe(now, latency)
    else if (now >= this.#nextProbe) this.#probing = now
    else this.#move(latency)
    this.#latencies = []
    this.#mostRunning = 0
    this.#dropped = false
  }

  #endProbe(now: number, latency: number): void {
    this.#unqueued = latency
    this.#probing = undefined
    this.#nextProbe = now + this.#options.probeMillis
  }

  #move(latency: number): void {
    const { max, min, tolerance } = this.#options
    this.#unqueued = Math.min(this.#unqueued ?? latency, latency)
    const gradient = latency === 0 ? 1 : Math.min(1, Math.max(steepest, (1 + tolerance) * this.#unqueued / latency))
    const next = this.#dropped
      ? this.#limit * Math.min(gradient, 0.9)
      : gradient * this.#limit + Math.sqrt(gradient * this.#limit)
    // A limit that was not reached says nothing about a higher one.
    if (next > this.#limit && this.#mostRunning < this.#limit / 2) return
    this.#limit = Math.min(max, Math.max(min, next))
  }
}

const median = (samples: ReadonlyArray<number>): number =>
  samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0
