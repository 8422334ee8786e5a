/** How a call keeps to the deadline of its fiber, wherever the service runs. */
import { Duration, Effect, type Fiber, Stream } from "effect"
import * as Deadline from "../Deadline.ts"
import * as ServiceError from "../ServiceError.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

const exceeded = (service: string, method: string, { budget }: Deadline.Deadline) =>
  new ServiceError.ServiceError({ service, method, reason: new ServiceError.DeadlineExceeded({ budget }) })

/** Refuses an effect when nothing is left for it, and otherwise interrupts it when the time is over. */
export const forEffect = (service: string, method: string) =>
<A, E, R>(
  fiber: AnyFiber,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | ServiceError.ServiceError, R> => {
  const deadline = fiber.getRef(Deadline.Current)
  if (deadline === undefined) return self
  const left = deadline.at - Deadline.now(fiber)
  const late = Effect.suspend(() => Effect.fail(exceeded(service, method, deadline)))
  return left <= 0 ? late : Effect.timeoutOrElse(self, { duration: Duration.millis(left), orElse: () => late })
}

/** The same for a stream, which must have ended by then. */
export const forStream = (service: string, method: string) =>
<A, E, R>(
  fiber: AnyFiber,
  self: Stream.Stream<A, E, R>
): Stream.Stream<A, E | ServiceError.ServiceError, R> => {
  const deadline = fiber.getRef(Deadline.Current)
  if (deadline === undefined) return self
  const left = deadline.at - Deadline.now(fiber)
  const late = Effect.suspend(() => Effect.fail(exceeded(service, method, deadline)))
  return left <= 0
    ? Stream.fromEffect(late)
    : Stream.interruptWhen(self, Effect.andThen(Effect.sleep(Duration.millis(left)), late))
}
