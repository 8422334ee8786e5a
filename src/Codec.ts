/**
 * Services in this process, called as if they were elsewhere.
 *
 * A call in this process passes its payload and its answer as they are. Through
 * the codec both are written as the frames of a connection and read again, so a
 * test without servers sees what a contract, or a handler, would do to them.
 *
 * @since 0.2.0
 */
import { Layer } from "effect"
import type { Rpc } from "effect/rpc"
import * as MemoryProtocol from "./internal/memoryProtocol.ts"
import type * as Model from "./Model.ts"
import * as Remote from "./Remote.ts"
import * as Serve from "./Serve.ts"

/**
 * Satisfies a service with an implementation in this process, every message of a call written and read as it would be
 * over a connection.
 *
 * Interruption, deadlines, traces and the back-pressure of streams are those of a connection as well. A result that the
 * contract refuses is a defect, which a call without the codec would not notice.
 *
 * **Example** (A test that sees what serialization does)
 *
 * ```ts
 * import { Codec, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Clock extends Model.Service<Clock>()("Clock", [Rpc.make("now", { success: Schema.Date })]) {}
 *
 * const ClockLive = Clock.toLayer({ now: () => Effect.sync(() => new Date()) })
 *
 * export const program = Clock.use((clock) => clock.now()).pipe(Effect.provide(Codec.layer(Clock, ClockLive)))
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = <Self, Name extends string, Rpcs extends Rpc.Any, E, R>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  implementation: Layer.Layer<Self, E, R>
): Layer.Layer<Self, E, R> => {
  const server = Layer.provide(Serve.layerProtocol([service]), implementation)
  return Remote.layerProtocol(service).pipe(
    Layer.provide(server),
    Layer.provide(Layer.fresh(MemoryProtocol.layer))
  )
}
