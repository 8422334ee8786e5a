/**
 * Policies for the calls of a service: layer to layer, whatever the service does and wherever it runs.
 *
 * A policy is applied to the layer of a service and gives a layer of the same service, so policies compose, and the
 * program that calls the service does not change. A policy is for all methods of the service together, or for those
 * named in `methods`; apply it twice for limits of their own. A stream counts until it has ended.
 *
 * **Details**
 *
 * The order matters: what is applied later is around what was applied before. This is the order to use, and why:
 *
 * | applied | policy | because |
 * |---|---|---|
 * | first | `limit`, `adaptiveLimit`, `budget` | only a call that runs holds a permit |
 * | then | `circuitBreaker` | it sees every attempt, and refuses without waiting in the queue |
 * | then | `rateLimit` | it counts every attempt |
 * | then | `retry` | each attempt passes the policies above, and none is held while it waits for the next |
 * | then | `deadline` | it covers all attempts and queues; applied before `retry` it is for each attempt |
 * | last | `cache` | an answer that is there costs nothing of the above |
 *
 * Orders that silently defeat a policy are refused with a `TypeError` where they are applied: `limit`, `adaptiveLimit`,
 * `budget` or `circuitBreaker` around `cache`; `adaptiveLimit` around `retry` or around another limit; `rateLimit`
 * around `retry`; `retry` around `retry`. Others are warned of in the log when the layer is built: `limit` or `budget`
 * around `retry`; a limit around `deadline`, `circuitBreaker` or `rateLimit`; `circuitBreaker` around `retry`;
 * `rateLimit` around `cache`. What is inside is seen only when the layer is built where `Layer.provide` was between, or
 * where a deployment limits a unit: all of these orders are warned of there.
 *
 * **Example** (A remote model with all that it needs)
 *
 * ```ts
 * import { Model, Remote, Traffic } from "chorale"
 * import { Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const ReaderRemote = Traffic.of(Reader, Remote.layerHttp(Reader, { url: "http://127.0.0.1:3000" })).pipe(
 *   Traffic.limit({ concurrency: 8, queue: 64 }),
 *   Traffic.circuitBreaker({ trip: 5, openFor: "5 seconds" }),
 *   Traffic.retry({ times: 2 }),
 *   Traffic.deadline("2 seconds"),
 *   Traffic.cache({ methods: ["read"], capacity: "16 MiB", timeToLive: "1 minute" })
 * )
 * ```
 *
 * @since 0.2.0
 */
export { adaptiveLimit, type AdaptiveLimitOptions } from "./traffic/adaptiveLimit.ts"
export { type Budget, budget, type Budgeted, layerBudget } from "./traffic/budget.ts"
export { cache, type CacheOptions } from "./traffic/cache.ts"
export { circuitBreaker, type CircuitBreakerOptions } from "./traffic/circuitBreaker.ts"
export { deadline } from "./traffic/deadline.ts"
export { limit, type LimitOptions, Priority, type QueueOrder } from "./traffic/limit.ts"
export { type Applied } from "./traffic/order.ts"
export { type AnyLayer, type EffectPolicy, of, policies, type Policy } from "./traffic/policy.ts"
export { rateLimit, type RateLimitOptions } from "./traffic/rateLimit.ts"
export { retry, type RetryOptions } from "./traffic/retry.ts"
