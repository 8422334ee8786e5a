/**
 * Which replica takes a call, and which call takes a slot that becomes free.
 *
 * A synchronous data structure: whatever happens is one step, so nothing is counted twice or lost between two fibers.
 * Of two replicas drawn at random the less loaded one is chosen: M. Mitzenmacher, The Power of Two Choices in
 * Randomized Load Balancing, 2001.
 */
import { type Ejection, Health, type Outcome, tolerance } from "./replicaHealth.ts"
import type { ReplicaLoad } from "./replicaLoad.ts"

export interface Options<A> {
  /** The most calls that a replica works on at a time. */
  readonly maxInFlight: number
  /** The most calls that wait. */
  readonly maxQueue: number
  /** How long a call waits, in milliseconds, while there is no replica that could take it at some time. */
  readonly patience: number
  readonly eject: Ejection
  /** Whether a call tries an ejected replica when its time is over; otherwise `restore` returns it. */
  readonly tryByCall: boolean
  /** In milliseconds; the origin is arbitrary. */
  readonly now: () => number
  /** At least 0 and less than 1. */
  readonly random: () => number
  /** `nextDue` may be earlier than it was. */
  readonly onWaiting: () => void
  readonly onUnavailable: () => void
  readonly onEjected: (replica: Replica<A>) => void
  readonly onRestored: () => void
}

/** The calls so far, and how many of them were not answered. */
export interface Counts {
  calls: number
  failures: number
}

export interface Replica<out A> {
  readonly name: string
  readonly value: A
  readonly load: ReplicaLoad
  readonly health: Health
  readonly counts: Counts
  state: "ready" | "ejected" | "draining" | "gone"
  inFlight: number
  onIdle: () => void
}

/** Why a call gets no replica: too many others wait, for so many milliseconds; or there is none that could take it. */
export type Refusal = { readonly retryAfter: number } | "down"

/** A call from when it asks for a replica until it has left it. */
export interface Call<out A> {
  replica: Replica<A> | undefined
  refusal: Refusal | undefined
  /** Called when one of the two is set after the call had to wait. */
  onDecided: () => void
  /** Whether the call tries a replica that is ejected. */
  tries: boolean
  enteredAt: number
  startedAt: number
}

export const makeCall = (): Call<never> => ({
  replica: undefined,
  refusal: undefined,
  onDecided: ignore,
  tries: false,
  enteredAt: 0,
  startedAt: 0
})

const ignore = () => undefined

export class Balancer<A> {
  readonly #options: Options<A>
  readonly #ready: Array<Replica<A>> = []
  readonly #ejected: Array<Replica<A>> = []
  readonly #waiting = new Set<Call<A>>()
  /** Calls that had waited for a replica that was gone before they began: they are the first again. */
  readonly #again = new Set<Call<A>>()
  /** Since when there is no replica that could take a call. */
  #downSince: number
  #hopeless = false
  #handingOut = false
  /** The time that a call takes, in milliseconds: an average that forgets. */
  #callTime: number | undefined

  constructor(options: Options<A>) {
    this.#options = options
    this.#downSince = options.now()
  }

  now(): number {
    return this.#options.now()
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.#waiting.size + this.#again.size
  }

  get isDown(): boolean {
    return this.#ready.length + this.#ejected.length === 0
  }

  add(name: string, value: A, load: ReplicaLoad, counts: Counts = { calls: 0, failures: 0 }): Replica<A> {
    const replica: Replica<A> = {
      name,
      value,
      load,
      health: new Health(this.#options.eject),
      state: "ready",
      counts,
      inFlight: 0,
      onIdle: ignore
    }
    this.#ready.push(replica)
    this.#handOut()
    return replica
  }

  /** It gets no further call; `onIdle` is called once it works on none. */
  drain(replica: Replica<A>, onIdle: () => void): void {
    this.#leaveSet(replica, "draining")
    replica.onIdle = onIdle
    if (loadOf(replica) === 0) onIdle()
  }

  /** Takes `drain` back. */
  keep(replica: Replica<A>): void {
    replica.onIdle = ignore
    this.#return(replica)
  }

  /** It can take no call any more. */
  remove(replica: Replica<A>): void {
    this.#leaveSet(replica, "gone")
    replica.onIdle = ignore
  }

  /** An ejected replica answers again. */
  restore(replica: Replica<A>): void {
    if (replica.state !== "ejected") return
    removeFrom(this.#ejected, replica)
    this.#return(replica)
    this.#options.onRestored()
  }

  /** Whether no replica will come: then a call is refused at once where there is none. */
  setHopeless(hopeless: boolean): void {
    this.#hopeless = hopeless
    this.wake()
  }

  /** Gives the call a replica, refuses it, or lets it wait for `onDecided`. */
  enter(call: Call<A>): void {
    const replica = this.waiting === 0 ? this.#choose() : undefined
    if (replica !== undefined) return this.#give(call, replica)
    if (this.isDown && (this.#hopeless || this.waiting >= this.#options.maxQueue)) {
      call.refusal = "down"
    } else if (this.waiting >= this.#options.maxQueue) {
      call.refusal = { retryAfter: this.#drainTime() }
    } else {
      call.enteredAt = this.#options.now()
      this.#waiting.add(call)
      this.wake()
    }
  }

  /** The same for a call whose replica was gone before it could begin. */
  enterAgain(call: Call<A>): void {
    this.#release(call)
    this.#again.add(call)
    this.wake()
  }

  /** Ends a call, wherever it is; `busyFor` is how long a full replica wants to be left alone, in milliseconds. */
  leave(call: Call<A>, outcome: Outcome, busyFor = 0): void {
    if (call.replica === undefined) {
      this.#waiting.delete(call)
      this.#again.delete(call)
      return
    }
    const { replica } = call
    if (this.#options.maxInFlight < Infinity) this.#measure(this.#options.now() - call.startedAt)
    this.#judge(replica, call.tries, outcome, busyFor)
    this.#release(call)
    this.freed(replica)
    if (outcome === "unavailable") {
      replica.counts.failures++
      this.#options.onUnavailable()
    }
  }

  /** A replica may have become free. */
  freed(replica: Replica<A>): void {
    if (replica.state === "draining" && loadOf(replica) === 0) replica.onIdle()
    this.#handOut()
  }

  /** Does what has become due. */
  wake(): void {
    this.#handOut()
    while (this.isDown) {
      const call = this.#first()
      if (call === undefined || (!this.#hopeless && this.#dueOf(call) > this.#options.now() + tolerance)) break
      this.#dequeue(call)
      call.refusal = "down"
      call.onDecided()
    }
    if (this.waiting > 0) this.#options.onWaiting()
  }

  /** When `wake` has something to do, if nothing else happens before. */
  nextDue(): number | undefined {
    const call = this.#first()
    if (call === undefined) return undefined
    if (this.isDown) return this.#dueOf(call)
    if (!this.#options.tryByCall) return undefined
    const now = this.#options.now()
    const due = this.#ejected.reduce(
      (due, { health }) => health.tried || health.mayTry(now) ? due : Math.min(due, health.ejectedUntil),
      Infinity
    )
    return due < Infinity ? due : undefined
  }

  #choose(): Replica<A> | undefined {
    const tried = this.#ejected.length === 0 ? undefined : this.#toTry()
    if (tried !== undefined) return tried
    // Where every replica is ejected, each is as good as the others.
    const candidates = this.#ready.length > 0 ? this.#ready : this.#ejected
    const chosen = this.#ofTwo(candidates)
    if (chosen === undefined || (this.#hasRoom(chosen) && !this.#isBusy(chosen))) return chosen
    return candidates.filter((replica) => this.#hasRoom(replica)).reduce<Replica<A> | undefined>(
      (best, replica) => best === undefined ? replica : this.#better(best, replica),
      undefined
    )
  }

  #toTry(): Replica<A> | undefined {
    if (!this.#options.tryByCall) return undefined
    const now = this.#options.now()
    return this.#ejected.find((replica) =>
      !replica.health.tried && replica.health.mayTry(now) && this.#hasRoom(replica)
    )
  }

  #ofTwo(candidates: ReadonlyArray<Replica<A>>): Replica<A> | undefined {
    const count = candidates.length
    if (count < 2) return candidates[0]
    const first = Math.floor(this.#options.random() * count)
    const other = Math.floor(this.#options.random() * (count - 1))
    const [a, b] = [candidates[first], candidates[other < first ? other : other + 1]]
    return a === undefined || b === undefined ? a : this.#better(a, b)
  }

  #better(a: Replica<A>, b: Replica<A>): Replica<A> {
    const difference = Number(this.#isBusy(a)) - Number(this.#isBusy(b)) || loadOf(a) - loadOf(b)
    return difference <= 0 ? a : b
  }

  #hasRoom(replica: Replica<A>): boolean {
    return loadOf(replica) < this.#options.maxInFlight
  }

  #isBusy(replica: Replica<A>): boolean {
    return replica.health.isBusy(this.#options.now)
  }

  #give(call: Call<A>, replica: Replica<A>): void {
    call.replica = replica
    call.tries = replica.state === "ejected"
    if (call.tries) replica.health.tried = true
    if (this.#options.maxInFlight < Infinity) call.startedAt = this.#options.now()
    replica.inFlight++
    replica.counts.calls++
  }

  #release(call: Call<A>): void {
    if (call.replica === undefined) return
    if (call.tries) call.replica.health.tried = false
    call.replica.inFlight--
    call.replica = undefined
  }

  // What `onDecided` starts may end at once and free a slot again: the loop that runs takes care of that one too.
  #handOut(): void {
    if (this.#handingOut) return
    this.#handingOut = true
    try {
      for (let call = this.#first(); call !== undefined; call = this.#first()) {
        const replica = this.#choose()
        if (replica === undefined) break
        this.#dequeue(call)
        this.#give(call, replica)
        call.onDecided()
      }
    } finally {
      this.#handingOut = false
    }
  }

  #first(): Call<A> | undefined {
    for (const call of this.#again) return call
    for (const call of this.#waiting) return call
    return undefined
  }

  #dequeue(call: Call<A>): void {
    this.#again.delete(call)
    this.#waiting.delete(call)
  }

  #dueOf(call: Call<A>): number {
    return Math.max(call.enteredAt, this.#downSince) + this.#options.patience
  }

  #judge(replica: Replica<A>, tries: boolean, outcome: Outcome, busyFor: number): void {
    const { health } = replica
    if (outcome === "overloaded") health.leaveAlone(busyFor, this.#options.now())
    if (replica.state === "ejected") {
      if (tries && health.isBack(outcome, this.#options.now())) this.restore(replica)
    } else if (replica.state === "ready" && health.isFailing(outcome) && this.#ready.length > 1) {
      removeFrom(this.#ready, replica)
      this.#ejected.push(replica)
      replica.state = "ejected"
      health.eject(this.#options.now())
      this.#options.onEjected(replica)
    }
  }

  #return(replica: Replica<A>): void {
    replica.state = "ready"
    replica.health.returned(this.#options.now())
    this.#ready.push(replica)
    this.#handOut()
  }

  #leaveSet(replica: Replica<A>, state: "draining" | "gone"): void {
    const wasDown = this.isDown
    removeFrom(this.#ready, replica)
    removeFrom(this.#ejected, replica)
    replica.state = state
    if (this.isDown && !wasDown) this.#downSince = this.#options.now()
    this.wake()
  }

  #measure(time: number): void {
    this.#callTime = this.#callTime === undefined ? time : this.#callTime + 0.2 * (time - this.#callTime)
  }

  /** How long it takes until all that wait have their turn, in milliseconds. */
  #drainTime(): number {
    if (this.#callTime === undefined) return defaultDrainTime
    const slots = Math.max(1, this.#ready.length || this.#ejected.length) * this.#options.maxInFlight
    return Math.max(1, Math.ceil(this.#callTime * (this.waiting + 1) / slots))
  }
}

// Before any call has ended there is nothing to tell from.
const defaultDrainTime = 1000

const loadOf = (replica: Replica<unknown>): number => replica.inFlight + replica.load.abandoned

const removeFrom = <T>(list: Array<T>, item: T): void => {
  const index = list.indexOf(item)
  if (index >= 0) list.splice(index, 1)
}
