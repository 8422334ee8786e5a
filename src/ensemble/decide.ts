/** Running members at once until a rule has decided; what still runs then is interrupted. */
import { Cause, type Context, Effect, Exit, Fiber, Result } from "effect"

/** How the ends of the members lead to a decision. */
export interface Rule<A, E, Decision> {
  /** Called with the end of each member, and its place; what it returns first is the decision. */
  readonly onExit: (exit: Exit.Exit<A, E>, index: number) => Decision | undefined
  /** The decision when every member has ended and none had decided. */
  readonly atEnd: () => Decision
}

/**
 * Starts the members in their order and does what the rule decides, when no member runs any more.
 *
 * A decision interrupts the members that run and leaves the others unstarted. Members can be interrupted also where the
 * ensemble cannot, or a decision would wait for those that it no longer needs. A member that dies while it is being
 * interrupted makes that the decision. This does less for each member than `Effect.forEach`, whose bookkeeping for
 * limited concurrency is a good part of the cost of a member that only waits.
 */
export const decide = <A, E, R, B, E2, R2>(
  members: ReadonlyArray<Effect.Effect<A, E, R>>,
  rule: Rule<A, E, Effect.Effect<B, E2, R2>>
): Effect.Effect<B, E2, R | R2> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.withFiber((parent) =>
      Effect.callback<B, E2, R2>((resume) => {
        const fork = Effect.runForkWith(context)
        const fibers: Array<Fiber.Fiber<A, E>> = []
        let running = 0
        let started = false
        let decision: Effect.Effect<B, E2, R2> | undefined
        const end = () => {
          if (started && running === 0) resume(decision ?? attempt(rule.atEnd))
        }
        const interruptAll = () => {
          for (const fiber of fibers) fiber.interruptUnsafe(parent.id)
        }
        const onExit = (exit: Exit.Exit<A, E>, index: number) => {
          running--
          if (decision === undefined) {
            try {
              decision = rule.onExit(exit, index)
            } catch (defect) {
              decision = Effect.die(defect)
            }
            if (decision !== undefined) interruptAll()
          } else if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) {
            decision = Exit.failCause(withoutErrors(exit.cause))
          }
          end()
        }
        for (let index = 0; index < members.length; index++) {
          if (decision !== undefined) break
          running++
          const fiber = fork(members[index]!)
          fibers.push(fiber)
          fiber.addObserver((exit) => onExit(exit, index))
        }
        started = true
        end()
        return Fiber.interruptAll(fibers)
      })
    )
  )

/**
 * As `decide`, by a rule for answers and errors: a member that ends with neither, but with a defect or by interrupting
 * itself, makes that the decision.
 */
export const decideByResult = <A, E, R, B, E2, R2>(
  members: ReadonlyArray<Effect.Effect<A, E, R>>,
  rule: {
    readonly onResult: (result: Result.Result<A, E>, index: number) => Effect.Effect<B, E2, R2> | undefined
    readonly atEnd: () => Effect.Effect<B, E2, R2>
  }
): Effect.Effect<B, E2, R | R2> =>
  decide(members, {
    onExit: (exit, index) => {
      if (Exit.isSuccess(exit)) return rule.onResult(Result.succeed(exit.value), index)
      const error = Cause.hasDies(exit.cause) ? undefined : exit.cause.reasons.find(Cause.isFailReason)
      return error === undefined
        ? Exit.failCause(withoutErrors(exit.cause))
        : rule.onResult(Result.fail(error.error), index)
    },
    atEnd: rule.atEnd
  })

/** What a function of the caller gives; what it throws is a defect. */
const attempt = <Decision>(f: () => Decision): Decision | Effect.Effect<never> => {
  try {
    return f()
  } catch (defect) {
    return Effect.die(defect)
  }
}

const withoutErrors = <E>(cause: Cause.Cause<E>): Cause.Cause<never> =>
  Cause.fromReasons(cause.reasons.filter((reason) => !Cause.isFailReason(reason)))
