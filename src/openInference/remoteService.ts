/** A service whose methods models elsewhere answer, whatever protocol leads there. */
import { Effect, type Scope } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Binding from "./binding.ts"
import * as Differences from "./differences.ts"
import * as RemoteMethod from "./remoteMethod.ts"

/** Where the models are. */
export interface Server {
  /** What the server says of a model; nothing where nobody asks. */
  readonly metadata: ((bound: Binding.Bound) => Effect.Effect<unknown, ServiceError.Reason>) | undefined
  readonly infer: (bound: Binding.Bound) => RemoteMethod.Infer
}

/** The models of all methods of a service. Throws where a method takes or gives something else than tensors. */
export const bind = <Rpcs extends Rpc.Any>(
  service: Model.Any,
  bindings: Binding.Bindings<Rpcs> | undefined
): ReadonlyArray<Binding.Bound> => {
  // The names of methods and fields are those of the contract, whose types are erased here.
  const byMethod = (bindings ?? {}) as Readonly<Record<string, Binding.AnyBinding | undefined>>
  return Array.from(service.methods.values(), (method) => Binding.bind(service, method, byMethod[method.name]))
}

/** The methods of the service, once its models are those of the contract. */
export const make = <Rpcs extends Rpc.Any>(
  service: string,
  models: ReadonlyArray<Binding.Bound>,
  server: Server
): Effect.Effect<Model.Client<Rpcs>, ServiceError.ServiceError | Differences.ModelDiffers, Scope.Scope> =>
  Effect.map(
    connect(service, models, server),
    // The methods are those of the contract, by name.
    (methods) => Object.fromEntries(methods) as unknown as Model.Client<Rpcs>
  )

const connect = Effect.fnUntraced(function*(
  service: string,
  models: ReadonlyArray<Binding.Bound>,
  { infer, metadata }: Server
) {
  if (metadata !== undefined) {
    yield* Effect.forEach(models, verify(service, metadata), { concurrency: 8, discard: true })
  }
  return yield* Effect.forEach(
    models,
    (bound) => Effect.map(RemoteMethod.make(service, bound, infer(bound)), (run) => [bound.method.name, run] as const)
  )
})

const verify = (service: string, metadata: NonNullable<Server["metadata"]>) => (bound: Binding.Bound) =>
  metadata(bound).pipe(
    Effect.mapError((reason) => new ServiceError.ServiceError({ service, method: bound.method.name, reason })),
    Effect.flatMap((found) => {
      const differs = Differences.find(service, bound, found)
      return differs === undefined ? Effect.void : Effect.fail(differs)
    })
  )
