/** A deadline for every call of a service. */
import { Duration, Effect, type Fiber, Stream } from "effect"
import * as Deadline from "../Deadline.ts"
import * as Policy from "./policy.ts"

/**
 * Gives every call of the service at most this much time, until its result or the end of its stream.
 *
 * A call that takes longer is interrupted and fails with `DeadlineExceeded`, and so do the calls below it: the deadline
 * travels with them. A caller whose own deadline ends earlier keeps it. The time in the queues of policies inside counts
 * as well, and so do all the attempts of a `retry` inside; put inside of `retry`, it is for each attempt.
 *
 * **Gotchas**
 *
 * It is the service that keeps to the deadline, as those of `toLayer`, `Remote` and `Traffic.of` do.
 *
 * @category policies
 * @since 0.2.0
 */
export const deadline = <const Method extends string = never>(
  budget: Duration.Input,
  options: { readonly methods?: ReadonlyArray<Method> } = {}
): Policy.Policy<Method> => {
  const given = Duration.fromInputUnsafe(budget)
  return Policy.make("deadline", options, () =>
    Effect.succeed({
      effect: (_, call) => (payload) => Deadline.within(Effect.suspend(() => call(payload)), given),
      stream: (_, call) => (payload) =>
        Stream.unwrap(Effect.withFiber((fiber) =>
          Effect.succeed(Stream.provideService(call(payload), Deadline.Current, tighter(fiber, given)))
        ))
    }))
}

const tighter = (fiber: Fiber.Fiber<unknown, unknown>, budget: Duration.Duration): Deadline.Deadline => {
  const current = fiber.getRef(Deadline.Current)
  const set = Deadline.fromNow(fiber, budget)
  return current !== undefined && current.at <= set.at ? current : set
}
