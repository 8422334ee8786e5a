/** Handing the messages of a transport to the client or the server of its calls. */
import { Effect, Exit, type Fiber } from "effect"

type RunFork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

/**
 * Does what is to be done with a message: most is done when this returns, and what is not goes on in a fiber.
 *
 * `onDefect` is told of a message that is not what it claims to be.
 */
export const deliver = (
  runFork: RunFork,
  receive: () => Effect.Effect<void>,
  onDefect: (defect: unknown) => void
): void => {
  let rest: Effect.Effect<void>
  try {
    rest = receive()
  } catch (defect) {
    return onDefect(defect)
  }
  if (Exit.isExit(rest) && Exit.isSuccess(rest)) return
  runFork(Effect.catchDefect(rest, (defect) => Effect.sync(() => onDefect(defect))))
}
