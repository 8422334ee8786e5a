/**
 * What the calls on a replica tell of its health, and for how long it is left alone.
 *
 * Ejection after consecutive failures for a time that doubles is that of Envoy's outlier detection; the single call
 * that tries an ejected replica is that of Finagle's failure accrual.
 */

export interface Ejection {
  /** So many failures in a row eject. */
  readonly after: number
  /** The first and the longest time of an ejection, in milliseconds. */
  readonly from: number
  readonly to: number
}

/** What a call says of its replica; `unknown` where its caller left or its time was over before there was an answer. */
export type Outcome = "answered" | "unavailable" | "overloaded" | "unknown"

export class Health {
  /** When the present or the last ejection is over. */
  ejectedUntil = 0
  /** Whether a call is under way that tries it. */
  tried = false
  readonly #options: Ejection
  #failuresInARow = 0
  #ejections = 0
  #ejectedFor = 0
  #returnedAt = 0
  #busyUntil = 0

  constructor(options: Ejection) {
    this.#options = options
  }

  /** Whether it said that it is full and for how long that will be. */
  isBusy(now: () => number): boolean {
    return this.#busyUntil > 0 && this.#busyUntil > now()
  }

  /** Leaves it alone for so many milliseconds, where another one is free. */
  leaveAlone(time: number, now: number): void {
    this.#busyUntil = now + time
  }

  /** Takes what a call says of a replica that is not ejected; returns whether it should be. */
  isFailing(outcome: Outcome): boolean {
    if (outcome === "unknown") return false
    this.#failuresInARow = outcome === "unavailable" ? this.#failuresInARow + 1 : 0
    return this.#failuresInARow >= this.#options.after
  }

  /** A replica that kept well for the longest time of an ejection starts with the shortest again. */
  eject(now: number): void {
    if (now - this.#returnedAt >= this.#options.to) this.#ejections = 0
    this.#ejectAgain(now)
  }

  /** Takes what a call says of a replica that is ejected; returns whether it is back. */
  isBack(outcome: Outcome, now: number): boolean {
    if (outcome === "answered" || outcome === "overloaded") return true
    // Of the calls that try it while there is no other replica, one is enough to eject it again.
    if (!this.mayTry(now)) return false
    if (outcome === "unavailable") this.#ejectAgain(now)
    else this.ejectedUntil = now + this.#ejectedFor
    return false
  }

  /** Whether the time of its ejection is over. */
  mayTry(now: number): boolean {
    return this.ejectedUntil <= now + tolerance
  }

  /** It takes calls again. */
  returned(now: number): void {
    this.#failuresInARow = 0
    this.#returnedAt = now
  }

  #ejectAgain(now: number): void {
    this.#ejectedFor = Math.min(this.#options.to, this.#options.from * 2 ** this.#ejections)
    this.ejectedUntil = now + this.#ejectedFor
    this.#ejections++
  }
}

/** In milliseconds: a timer may fire a little before its time on the clock that is read here. */
export const tolerance = 0.5
