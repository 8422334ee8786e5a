/** How many calls a server runs at a time. What comes beyond is refused at once: the queues belong to the services. */
import * as Answer from "./answer.ts"

export class Gate {
  readonly limit: number
  running = 0

  constructor(limit: number) {
    if (!(limit >= 1)) throw new RangeError(`a server runs at least one call at a time, not ${limit}`)
    this.limit = limit
  }

  /** Whether there was room for another call, which then has it until it leaves. */
  enter(): boolean {
    if (this.running >= this.limit) return false
    this.running++
    return true
  }

  leave(): void {
    this.running--
  }
}

/** One second is as good a guess as any: the calls of a server that is full end all the time. */
export const overloaded = (gate: Gate): Answer.Failure =>
  Answer.failure(429, "Overloaded", `the server runs ${gate.limit} calls, which is its limit`, { "retry-after": "1" })
