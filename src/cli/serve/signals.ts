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

/** What signals ask for. */
export type Asked = (running: Running) => Effect.Effect<void>

/** Listens to SIGHUP and SIGUSR2 until the scope closes: a server that nobody listens in is ended by them. */
export const signals = Effect.gen(function*() {
  const asked = yield* Queue.sliding<Asked>(2)
  yield* on("SIGHUP", () => Queue.offerUnsafe(asked, reload))
  yield* on("SIGUSR2", () => Queue.offerUnsafe(asked, restart))
  return asked
})

/** Does what signals ask for, in turn; never ends. */
export const follow = (asked: Queue.Queue<Asked>, running: Running): Effect.Effect<never> =>
  Effect.forever(Effect.flatMap(Queue.take(asked), (what) => what(running)))

const on = (signal: NodeJS.Signals, listener: () => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => process.on(signal, listener)),
    () => Effect.sync(() => process.off(signal, listener))
  ))

const reload: Asked = ({ loaded, prepared, supervisor }) =>
  loaded.configuration.pipe(
    Effect.flatMap((configuration) => supervisor.apply(prepared.describe(configuration))),
    Effect.flatMap(({ live, restart }) =>
      Effect.andThen(
        live.length === 0 && restart.length > 0 ? Effect.void : Effect.logInfo(
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

const restart: Asked = ({ supervisor }) => Effect.catch(supervisor.restart, (error) => Effect.logError(error.message))
