/** A limit on the calls in a length of time. */
import { Context, Duration, Effect, Layer, Stream } from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import { requireWhole } from "./limit.ts"
import * as Policy from "./policy.ts"

/**
 * How many calls are let in within what time.
 *
 * @category models
 * @since 0.2.0
 */
export interface RateLimitOptions<Method extends string> {
  readonly limit: number
  readonly window: Duration.Input
  /**
   * `"token-bucket"`, unless it is given: `limit` calls at once, and then one more each time that the rate allows one.
   * `"fixed-window"`: up to `limit` calls, and then as many again when the time is over that the rate gives them.
   */
  readonly algorithm?: "token-bucket" | "fixed-window"
  /** Where the calls are counted: in the layer, unless it is given. A store in Redis counts those of all replicas. */
  readonly store?: Layer.Layer<RateLimiter.RateLimiterStore>
  /** The methods that are counted together: all of the service, unless they are given. */
  readonly methods?: ReadonlyArray<Method>
}

/**
 * Lets in `limit` calls in each `window`, and refuses others at once with `Overloaded`.
 *
 * This is a rate: as many calls may come at once as were saved up before. `retryAfter` is when the next call is let in. The counting is Effect's `RateLimiter`. Where its store cannot be
 * reached, the calls are `Unavailable`.
 *
 * @category policies
 * @since 0.2.0
 */
export const rateLimit = <const Method extends string = never>(
  options: RateLimitOptions<Method>
): Policy.Policy<Method> => {
  const { algorithm = "token-bucket", limit } = options
  const window = Duration.fromInputUnsafe(options.window)
  requireWhole("rateLimit", "limit", limit, 1)
  return Policy.make(
    "rateLimit",
    options,
    Effect.fnUntraced(function*(service) {
      // A layer of its own each time, so that two policies do not count the calls of each other.
      const context = yield* Layer.build(RateLimiter.layer.pipe(
        Layer.provide(options.store ?? Layer.fresh(RateLimiter.layerStoreMemory))
      ))
      const limiter = Context.get(context, RateLimiter.RateLimiter)
      const key = [service.key, options.methods?.join() ?? "*", limit, Duration.toMillis(window)].join("/")
      const consume = (method: Model.Definition) =>
        Effect.mapError(
          limiter.consume({ algorithm, limit, window, key, onExceeded: "fail" }),
          ({ reason }) =>
            new ServiceError.ServiceError({
              service: service.key,
              method: method.name,
              reason: reason._tag === "RateLimitExceeded"
                ? new ServiceError.Overloaded({ retryAfter: reason.retryAfter })
                : new ServiceError.Unavailable({ detail: `its rate could not be counted: ${reason.message}` })
            })
        )
      return {
        effect: (method, call) => {
          const admit = consume(method)
          return (payload) => Effect.flatMap(admit, () => call(payload))
        },
        stream: (method, call) => {
          const admit = consume(method)
          return (payload) => Stream.unwrap(Effect.map(admit, () => call(payload)))
        }
      }
    })
  )
}
