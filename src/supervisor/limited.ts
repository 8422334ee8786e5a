/** The limits of a unit around its calls, of any numbers, put there while it runs. */
import { Context, Duration, Effect, Layer } from "effect"
import type { UnitDescription } from "../deployment/Description.ts"
import type * as Model from "../Model.ts"
import * as Traffic from "../Traffic.ts"
import { classOf } from "./located.ts"

/** The methods of a service with limits around them: those of a replica, times the replicas. */
export const limited = Effect.fnUntraced(function*(
  service: Model.Any,
  client: Model.AnyClient,
  { concurrency, queue = 0, timeout }: UnitDescription["traffic"],
  replicas: number
) {
  if (concurrency === undefined && timeout === undefined) return client
  const served = Traffic.of(classOf(service), Layer.succeedContext(Context.make(service, client)))
  const counted = concurrency === undefined
    ? served
    : Traffic.limit({ concurrency: concurrency * replicas, queue: queue * replicas })(served)
  const layer = timeout === undefined ? counted : Traffic.deadline(Duration.millis(timeout))(counted)
  // The layer has the methods of the service under its key.
  return Context.get(yield* Layer.build(layer), classOf(service)) as Model.AnyClient
}, Effect.scoped)
