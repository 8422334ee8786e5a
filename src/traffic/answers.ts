/** Answers by key: those used least recently make room, and equal calls share one computation. */
import { Clock, Effect, Exit, Fiber, type Scope } from "effect"
import * as Deadline from "../Deadline.ts"
import * as Monotonic from "./monotonic.ts"
import type { EffectMethod } from "./policy.ts"

type AnyExit = Exit.Exit<unknown, unknown>
type AnyFiber = Fiber.Fiber<unknown, unknown>

interface Entry {
  readonly exit: AnyExit
  readonly size: number
  /** In milliseconds of the monotonic clock. */
  readonly expires: number
}

/** A computation that runs, and how many wait for it. */
interface Flight {
  readonly fiber: AnyFiber
  /** By when the call that began it must have its answer, in milliseconds of the monotonic clock. */
  readonly deadline: number
  waiting: number
  settled: boolean
}

export interface Options {
  readonly capacity: number
  /** For how many milliseconds an answer is kept; not at all where this is zero. */
  readonly timeToLive: (exit: AnyExit) => number
  /** Computations end with it. */
  readonly scope: Scope.Scope
}

/** Bytes for the entry itself and its key. */
const overhead = 256

export class Answers {
  readonly #options: Options
  /** Those used least recently come first. */
  readonly #entries = new Map<string, Entry>()
  readonly #flights = new Map<string, Flight>()
  #size = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** The answer that is there and has not expired. */
  find(key: string, fiber: AnyFiber): AnyExit | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#remove(key, entry)
    if (entry.expires <= Deadline.now(fiber)) return undefined
    this.#put(key, entry)
    return entry.exit
  }

  /** Waits for the computation of that key, which begins with the first that waits and ends with the last. */
  compute(key: string, call: EffectMethod, payload: unknown): Effect.Effect<Computed> {
    return Effect.suspend(() => {
      let joined: Flight | undefined
      return Effect.onExitPrimitive(
        Effect.withFiber((fiber) => {
          const running = this.#flights.get(key)
          const flight = joined = running ?? this.#begin(key, fiber, call, payload)
          flight.waiting++
          return Effect.map(Fiber.await(flight.fiber), (exit): Computed => ({
            exit,
            cutShort: running !== undefined && flight.deadline <= Deadline.now(fiber)
          }))
        }),
        () => {
          if (joined !== undefined) this.#leave(key, joined)
          return undefined
        }
      )
    })
  }

  #begin(key: string, caller: AnyFiber, call: EffectMethod, payload: unknown): Flight {
    const clock = caller.getRef(Clock.Clock)
    const fiber = Effect.runForkWith(caller.context)(Effect.suspend(() => call(payload)))
    const deadline = caller.getRef(Deadline.Current)?.at ?? Infinity
    const flight: Flight = { fiber, deadline, waiting: 0, settled: false }
    this.#flights.set(key, flight)
    fiber.addObserver((exit) => {
      flight.settled = true
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
      this.#store(key, exit, Monotonic.now(clock))
    })
    Fiber.runIn(fiber, this.#options.scope)
    return flight
  }

  #leave(key: string, flight: Flight): void {
    flight.waiting--
    if (flight.waiting > 0 || flight.settled) return
    this.#flights.delete(key)
    flight.fiber.interruptUnsafe()
  }

  #store(key: string, exit: AnyExit, now: number): void {
    const { capacity, timeToLive } = this.#options
    const millis = timeToLive(exit)
    if (!(millis > 0)) return
    const size = overhead + 2 * key.length + sizeOf(Exit.isSuccess(exit) ? exit.value : exit.cause)
    if (size > capacity) return
    const replaced = this.#entries.get(key)
    if (replaced !== undefined) this.#remove(key, replaced)
    this.#put(key, { exit, size, expires: now + millis })
    for (const [oldest, entry] of this.#entries) {
      if (this.#size <= capacity) return
      this.#remove(oldest, entry)
    }
  }

  #put(key: string, entry: Entry): void {
    this.#entries.set(key, entry)
    this.#size += entry.size
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#size -= entry.size
  }
}

/** What a computation gave, and whether another caller began it whose deadline was over then. */
export interface Computed {
  readonly exit: AnyExit
  readonly cutShort: boolean
}

/** About how many bytes of memory a value holds: for a view, all of what it is a view of. */
const sizeOf = (value: unknown, seen = new Set<object>()): number => {
  if (typeof value === "string") return 2 * value.length
  if (typeof value !== "object" || value === null) return 8
  if (seen.has(value)) return 8
  seen.add(value)
  if (ArrayBuffer.isView(value)) {
    const counted = seen.has(value.buffer)
    seen.add(value.buffer)
    return 64 + (counted ? 0 : value.buffer.byteLength)
  }
  if (value instanceof ArrayBuffer) return 64 + value.byteLength
  const parts = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value)
  return parts.reduce<number>((size, part) => size + 8 + sizeOf(part, seen), 32)
}
