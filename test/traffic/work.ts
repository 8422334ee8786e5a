/** A service whose calls take a given time of the test clock, and that counts what it does. */
import { Model, ServiceError } from "chorale"
import { Effect, type Exit, type Fiber, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { id: Schema.Int }) {}

const payload = { id: Schema.Int, millis: Schema.Finite }

export class Work extends Model.Service<Work>()("test/Work", [
  Rpc.make("run", { payload, success: Schema.Int, error: Refused }),
  Rpc.make("other", { payload, success: Schema.Int }),
  Rpc.make("items", { payload: { ...payload, count: Schema.Int }, success: Schema.Int, error: Refused, stream: true })
]) {}

export interface Seen {
  running: number
  mostRunning: number
  started: Array<number>
  finished: Array<number>
  interrupted: Array<number>
}

/** What the service does with a call that has begun. */
export type Behaviour = (
  call: { readonly id: number; readonly millis: number }
) => Effect.Effect<number, Refused | ServiceError.Reason | ServiceError.ServiceError>

export const takesItsTime: Behaviour = ({ id, millis }) => Effect.as(Effect.sleep(millis), id)

export const makeWork = (behaviour: Behaviour = takesItsTime) => {
  const seen: Seen = { running: 0, mostRunning: 0, started: [], finished: [], interrupted: [] }
  const begin = (id: number) =>
    Effect.sync(() => {
      seen.started.push(id)
      seen.mostRunning = Math.max(seen.mostRunning, ++seen.running)
    })
  const end = (id: number) => <A, E>(exit: Exit.Exit<A, E>) =>
    Effect.sync(() => {
      seen.running--
      const interrupted = exit._tag === "Failure" && exit.cause.reasons.some((reason) => reason._tag === "Interrupt")
      ;(interrupted ? seen.interrupted : seen.finished).push(id)
    })
  const run = (call: { readonly id: number; readonly millis: number }) =>
    Effect.acquireUseRelease(begin(call.id), () => behaviour(call), (_, exit) => end(call.id)(exit))
  const other = (call: { readonly id: number; readonly millis: number }) =>
    Effect.catchTag(run(call), "Refused", (error) => Effect.die(error))
  const items = ({ count, id, millis }: { readonly id: number; readonly millis: number; readonly count: number }) =>
    Stream.unwrap(Effect.as(
      Effect.acquireRelease(begin(id), (_, exit) => end(id)(exit)),
      Stream.mapEffect(Stream.range(1, count), (item) => Effect.as(Effect.sleep(millis), item))
    ))
  const layer = Work.toLayer({ run, other, items })
  return { layer, seen }
}

/** Begins a call now, up to where it waits. */
export const start = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.forkChild(call, { startImmediately: true })

/** Lets everything happen that happens without time. */
export const settle = TestClock.adjust(0)

/** How a call failed, or that it did not or not yet. */
export const outcome = (fiber: Fiber.Fiber<unknown, unknown>): string => {
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return "waits"
  if (exit._tag === "Success") return "answered"
  const [reason] = exit.cause.reasons
  if (reason === undefined || reason._tag !== "Fail") return reason?._tag ?? "Empty"
  return tagOf(reason.error)
}

/** The tag of the reason, or of an error of the model. */
export const tagOf = (error: unknown): string =>
  error instanceof ServiceError.ServiceError
    ? error.reason._tag
    : typeof error === "object" && error !== null && "_tag" in error
    ? String(error._tag)
    : String(error)
