/** Permits for calls that run at a time, and a bounded queue for those that wait for one. */
import { Clock, Duration, Effect, Exit, type Fiber, Stream } from "effect"
import * as Deadline from "../Deadline.ts"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Monotonic from "./monotonic.ts"
import type { Around } from "./policy.ts"
import { type Waiter, WaitQueue } from "./waitQueue.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** One call at the gate. It leaves once, wherever it is then. */
export interface Ticket extends Waiter {
  readonly service: string
  readonly method: Model.Definition
  state: "outside" | "queued" | "inside" | "evicted" | "left"
  fiber: AnyFiber | undefined
  clock: Clock.Clock | undefined
  /** When it was let in, or put into the queue. */
  since: number
  /** Why it was put out of the queue. */
  refusal: ServiceError.ServiceError | undefined
  resume: ((result: Effect.Effect<void, ServiceError.ServiceError>) => void) | undefined
}

const ticket = (service: string, method: Model.Definition, permits: number, priority: number): Ticket => ({
  service,
  method,
  permits,
  priority,
  state: "outside",
  fiber: undefined,
  clock: undefined,
  since: 0,
  refusal: undefined,
  resume: undefined,
  level: undefined,
  earlier: undefined,
  later: undefined
})

/** How a gate is made. */
export interface Options {
  readonly permits: number
  readonly queue: number
  readonly lastFirst: boolean
  /** Told about every call that leaves from inside, before others are let in. */
  readonly onLeave?: (gate: Gate, call: Ticket, now: number, exit: Exit.Exit<unknown, unknown>) => void
  /** Told how many milliseconds a call has waited whose turn has come. */
  readonly onTurn?: (millis: number) => void
}

/** What is known of the drain rate before a first call has left. */
const unknownDrain = Duration.seconds(1)

/** Weight of the newest call in the mean time that calls stay inside. */
const newest = 0.1

/**
 * Counts in one synchronous step, so no order of events lets one call too many in or leaves a permit behind.
 *
 * The drain rate follows from Little's law: as many permits come back per millisecond as there are permits, divided by
 * the mean milliseconds for which a call has one.
 */
export class Gate {
  readonly #options: Options
  readonly #queue: WaitQueue<Ticket>
  #permits: number
  #taken = 0
  #meanMillis: number | undefined

  constructor(options: Options) {
    this.#options = options
    this.#permits = options.permits
    this.#queue = new WaitQueue(options.lastFirst)
  }

  get permits(): number {
    return this.#permits
  }

  set permits(permits: number) {
    this.#permits = permits
  }

  get taken(): number {
    return this.#taken
  }

  get queued(): number {
    return this.#queue.size
  }

  /** Lets a call in and returns `undefined`, or returns how it waits for that or why it is refused. */
  enter(call: Ticket, fiber: AnyFiber): Effect.Effect<void, ServiceError.ServiceError> | undefined {
    const clock = fiber.getRef(Clock.Clock)
    call.fiber = fiber
    call.clock = clock
    if (this.#queue.size === 0 && this.#taken + call.permits <= this.#permits) {
      this.#letIn(call, Monotonic.now(clock))
      return undefined
    }
    const deadline = fiber.getRef(Deadline.Current)
    return deadline === undefined
      ? this.#enqueue(call, Infinity) ?? arrival(call)
      : this.#enterBefore(call, fiber, deadline)
  }

  /** Gives back what a call has: its permits or its place in the queue. */
  leave(call: Ticket, exit: Exit.Exit<unknown, unknown>): void {
    const { clock, state } = call
    call.state = "left"
    if (clock === undefined || state === "outside") return
    const now = Monotonic.now(clock)
    if (state === "queued") this.#queue.remove(call)
    if (state === "inside") {
      const millis = now - call.since
      this.#taken -= call.permits
      this.#learn(millis, exit)
      this.#options.onLeave?.(this, call, now, exit)
    }
    if (this.#queue.size > 0) this.#admit(now)
  }

  #learn(millis: number, exit: Exit.Exit<unknown, unknown>): void {
    const mean = this.#meanMillis ?? millis
    // A call that was cut short would have taken longer, so it does not make the mean shorter.
    const sample = isCutShort(exit) ? Math.max(mean, millis) : millis
    this.#meanMillis = mean + newest * (sample - mean)
  }

  #letIn(call: Ticket, now: number): void {
    this.#taken += call.permits
    call.state = "inside"
    call.since = now
  }

  #enterBefore(call: Ticket, fiber: AnyFiber, deadline: Deadline.Deadline) {
    const left = deadline.at - Deadline.now(fiber)
    const late = Effect.suspend(() =>
      Effect.fail(refusal(call, new ServiceError.DeadlineExceeded({ budget: deadline.budget })))
    )
    if (left <= 0) return late
    return this.#enqueue(call, left) ??
      Effect.timeoutOrElse(arrival(call), { duration: Duration.millis(left), orElse: () => late })
  }

  /** Puts a call into the queue, or returns its refusal: the queue is full, or it would be served too late. */
  #enqueue(call: Ticket, left: number): Effect.Effect<never, ServiceError.ServiceError> | undefined {
    const mean = this.#meanMillis ?? 0
    // Calls that began together end together: a permit may come back only with the last of its round.
    const rounds = Math.ceil((this.#queue.ahead(call.priority) + call.permits) / this.#permits)
    if ((rounds + 1) * mean > left) return Effect.fail(this.#overloaded(call))
    if (this.#queue.size >= this.#options.queue) {
      const evicted = this.#queue.lowestBelow(call.priority)
      if (evicted === undefined) return Effect.fail(this.#overloaded(call))
      this.#queue.remove(evicted)
      evicted.state = "evicted"
      evicted.refusal = this.#overloaded(evicted)
      wakeLater(evicted)
    }
    call.state = "queued"
    if (call.clock !== undefined) call.since = Monotonic.now(call.clock)
    this.#queue.add(call)
    return undefined
  }

  /** Lets in those whose turn it is. One whose deadline is over gives its permits back at once. */
  #admit(now: number): void {
    for (let next = this.#queue.next; next !== undefined; next = this.#queue.next) {
      if (this.#taken + next.permits > this.#permits) return
      this.#queue.remove(next)
      this.#options.onTurn?.(now - next.since)
      this.#letIn(next, now)
      wakeLater(next)
    }
  }

  #overloaded(call: Ticket): ServiceError.ServiceError {
    const retryAfter = this.#meanMillis === undefined
      ? unknownDrain
      : Duration.millis((this.#queue.permits + call.permits) * this.#meanMillis / this.#permits)
    return refusal(call, new ServiceError.Overloaded({ retryAfter }))
  }
}

const refusal = ({ method, service }: Ticket, reason: ServiceError.Reason) =>
  new ServiceError.ServiceError({ service, method: method.name, reason })

const isCutShort = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((reason) =>
    reason._tag === "Interrupt" ||
    (reason._tag === "Fail" && reason.error instanceof ServiceError.ServiceError &&
      reason.error.reason._tag === "DeadlineExceeded")
  )

/** How a call that is in the queue learns that its turn has come, or that it has lost its place. */
const arrival = (call: Ticket): Effect.Effect<void, ServiceError.ServiceError> =>
  Effect.callback((resume) => {
    call.resume = resume
    if (call.state !== "queued") wake(call)
  })

const wake = ({ refusal, resume, state }: Ticket): void => {
  if (refusal !== undefined) resume?.(Effect.fail(refusal))
  else if (state === "inside") resume?.(Effect.void)
}

/** Not at once, because the fiber would go on inside of the one that makes room for it. */
const wakeLater = (call: Ticket): void => call.fiber?.currentDispatcher.scheduleTask(() => wake(call), 0)

/**
 * Puts the methods of a service behind a gate.
 *
 * The way out is prepared before the call goes in, so that an interruption between the two finds it.
 */
export const around = (
  gate: Gate,
  service: string,
  permits: number,
  priorityOf: (fiber: AnyFiber) => number
): Around => ({
  effect: (method, run) => (payload) =>
    Effect.withFiber((fiber) => {
      const call = ticket(service, method, permits, priorityOf(fiber))
      return Effect.onExitPrimitive(
        Effect.suspend(() => {
          const waits = gate.enter(call, fiber)
          return waits === undefined ? run(payload) : Effect.flatMap(waits, () => run(payload))
        }),
        (exit) => {
          gate.leave(call, exit)
          return undefined
        }
      )
    }),
  stream: (method, run) => (payload) =>
    Stream.unwrap(Effect.withFiber((fiber) => {
      const call = ticket(service, method, permits, priorityOf(fiber))
      return Effect.addFinalizer((exit) => Effect.sync(() => gate.leave(call, exit))).pipe(
        Effect.andThen(Effect.suspend(() => gate.enter(call, fiber) ?? Effect.void)),
        Effect.map(() => run(payload))
      )
    }))
})
