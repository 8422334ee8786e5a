/**
 * Ends calls that run for too long, where nobody has given them a deadline.
 *
 * A deadline is exact and travels, and costs a timer for every call below it. This is for calls that hang: it looks
 * once a second, and what it interrupts is interrupted through every hop.
 */
import { Context, Duration, Effect, type Fiber, type Scope } from "effect"
import * as Answer from "./answer.ts"

/** One call that runs, and when it began. */
export interface Running {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly tick: number
}

/** Marks the interruption of a call that ran for too long. */
export class Exceeded extends Context.Service<Exceeded, true>()("chorale/http/timeLimit/Exceeded") {}

export class TimeLimit {
  readonly #running = new Set<Running>()
  readonly #ticks: number
  #tick = 0

  constructor(seconds: number) {
    this.#ticks = Math.max(1, Math.ceil(seconds))
  }

  /** The call that the fiber makes from now on. */
  begin(fiber: Fiber.Fiber<unknown, unknown>): Running {
    const running: Running = { fiber, tick: this.#tick }
    this.#running.add(running)
    return running
  }

  end(running: Running): void {
    this.#running.delete(running)
  }

  /** A second has passed. */
  advance(): void {
    this.#tick++
    // Those that began first come first.
    for (const running of this.#running) {
      if (this.#tick - running.tick <= this.#ticks) return
      this.#running.delete(running)
      running.fiber.interruptUnsafe(undefined, annotation)
    }
  }
}

const annotation = Exceeded.context(true)

/** A limit that is kept until the scope closes. */
export const make = (limit: Duration.Duration): Effect.Effect<TimeLimit, never, Scope.Scope> =>
  Effect.suspend(() => {
    const timeLimit = new TimeLimit(Duration.toSeconds(limit))
    const advance = Effect.sync(() => timeLimit.advance())
    return Effect.as(Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("1 second"), advance))), timeLimit)
  })

export const exceeded = Answer.failure(
  504,
  "DeadlineExceeded",
  "the call ran longer than this server lets a call run whose caller gives no deadline"
)
