/** What a server does when it is told to read its configuration again, or to replace its replicas. */
import { Effect, Queue, type Scope } from "effect"
import type { Supervisor } from "../../supervisor/Supervisor.ts"
import type { Loaded } from "../load.ts"
import type { Prepared } from "../prepare.ts"

/** What is changed. */
export interface Running {
  readonly loaded: Loaded
  readonly prepared: Prepared
  readonly supervisor: Supervisor
}

/** Listens to SIGHUP and SIGUSR2 until the scope closes; what they ask for is done in turn. */
export const onSignals = Effect.fnUntraced(function*(running: Running) {
  const asked = yield* Queue.sliding<Effect.Effect<void>>(2)
  yield* on("SIGHUP", () => Queue.offerUnsafe(asked, reload(running)))
  yield* on("SIGUSR2", () => Queue.offerUnsafe(asked, restart(running)))
  yield* Effect.forkScoped(Effect.forever(Effect.flatten(Queue.take(asked))))
})

const on = (signal: NodeJS.Signals, listener: () => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => process.on(signal, listener)),
    () => Effect.sync(() => process.off(signal, listener))
  ))

const reload = ({ loaded, prepared, supervisor }: Running): Effect.Effect<void> =>
  loaded.configuration.pipe(
    Effect.flatMap((configuration) => supervisor.apply(prepared.describe(configuration))),
    Effect.flatMap(({ live, restart }) =>
      Effect.andThen(
        Effect.logInfo(
          live.length === 0
            ? "nothing has changed"
            : `changed: ${live.map(({ key, unit }) => `${unit}.${key}`).join(", ")}`
        ),
        restart.length === 0 ? Effect.void : Effect.logWarning(
          `these change when it is started again: ${restart.map(({ key, unit }) => `${unit}.${key}`).join(", ")}`
        )
      )
    ),
    Effect.catch((error) => Effect.logError(`nothing was changed: ${error.message}`))
  )

const restart = ({ supervisor }: Running): Effect.Effect<void> =>
  Effect.catch(supervisor.restart, (error) => Effect.logError(error.message))
