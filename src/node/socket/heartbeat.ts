/** Notices that the other side of a connection is gone although nothing says so, as when its machine has lost power. */
import { Duration, Effect } from "effect"
import type * as Connection from "./connection.ts"

/**
 * Asks for a sign of life where calls wait and nothing has come for an interval, and gives the connection up where
 * nothing comes within another one. It never ends by itself.
 */
export const watch = (connection: Connection.Connection, options: {
  readonly interval: Duration.Duration
  /** Whether a call waits for an answer. */
  readonly isAwaiting: () => boolean
}): Effect.Effect<void> => {
  let seen = connection.received()
  let asked = false
  const isAlive = () => {
    const received = connection.received()
    const alive = received !== seen || !options.isAwaiting()
    seen = received
    return alive
  }
  const beat = Effect.suspend(() => {
    if (isAlive()) {
      asked = false
      return Effect.void
    }
    if (asked) return giveUp
    asked = true
    connection.ping()
    return Effect.void
  })
  // Where this event loop was held up, what has come meanwhile is read in its present turn.
  const giveUp = Effect.andThen(
    turn,
    Effect.sync(() => {
      if (isAlive()) asked = false
      else connection.fail(new Error(`it gave no sign of life for ${Duration.format(options.interval)}`))
    })
  )
  return Effect.forever(Effect.delay(beat, options.interval))
}

const turn = Effect.callback<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
