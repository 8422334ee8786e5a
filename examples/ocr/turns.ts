/**
 * Long calculations that share the event loop.
 *
 * Models run on threads, but the pictures between them are prepared in JavaScript: tens of milliseconds for a photo.
 * Written as generators that yield after each row of pixels, these calculations run a few milliseconds at a time, so that
 * the server goes on answering.
 */
import { Context, Effect, Exit, Layer } from "effect"
import type { Work } from "./work.ts"

/** One line of calculations, of which a few milliseconds run in every turn of the event loop. */
export class Turns extends Context.Service<Turns, {
  /** Runs a calculation after those that came before it; interruption takes it out of the line. */
  readonly run: <A>(work: Work<A>) => Effect.Effect<A>
}>()("ocr/Turns") {
  static readonly layer = Layer.sync(Turns, () => {
    const line = new Set<Job>()
    let turn: NodeJS.Immediate | undefined
    const takeTurn = () => {
      const end = performance.now() + budget
      for (const job of line) {
        while (line.has(job)) {
          if (performance.now() >= end) {
            turn = setImmediate(takeTurn)
            return
          }
          if (job()) line.delete(job)
        }
      }
      turn = undefined
    }
    return {
      run: <A>(work: Work<A>) =>
        Effect.callback<A>((resume) => {
          const job = step(work, (exit) => resume(exit))
          line.add(job)
          turn ??= setImmediate(takeTurn)
          return Effect.sync(() => line.delete(job))
        })
    }
  })
}

/** Does the next step of a calculation, and says whether that was the last. */
type Job = () => boolean

/** Milliseconds of every turn of the event loop. */
const budget = 2

const step = <A>(work: Work<A>, complete: (exit: Exit.Exit<A>) => void): Job => () => {
  try {
    const { done, value } = work.next()
    if (done === true) complete(Exit.succeed(value))
    return done === true
  } catch (defect) {
    complete(Exit.die(defect))
    return true
  }
}
