/** A contract as a value: its methods by name, and as they travel between processes. */
import { type Context, Schema } from "effect"
import { Rpc, RpcGroup, RpcSchema } from "effect/rpc"
import { ServiceError } from "../ServiceError.ts"

/**
 * One method of a contract as a value, with its types erased.
 *
 * `success` and `error` are the schemas of the result, or of the items and the failure of a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Definition {
  readonly name: string
  readonly payload: Schema.Codec<unknown, unknown>
  readonly success: Schema.Codec<unknown, unknown>
  readonly error: Schema.Codec<unknown, unknown>
  readonly stream: boolean
  readonly annotations: Context.Context<never>
}

/**
 * The methods of a service of any type, as they travel.
 *
 * @category models
 * @since 0.1.0
 */
export type Protocol = RpcGroup.RpcGroup<Rpc.Rpc<string, Schema.Any, Schema.Any, Schema.Any>>

/** The methods of a contract by name. */
export const declare = (methods: ReadonlyArray<Rpc.Any>): ReadonlyMap<string, Definition> => {
  // Every `Rpc` carries its schemas; `Rpc.Any` only hides them from inference.
  const definitions = (methods as ReadonlyArray<Rpc.AnyWithProps>).map((rpc): Definition => {
    const stream = RpcSchema.isStreamSchema(rpc.successSchema) ? rpc.successSchema : undefined
    return {
      name: rpc._tag,
      // Contracts are plain schemas, without services of their own.
      payload: rpc.payloadSchema as Schema.Codec<unknown, unknown>,
      success: (stream?.success ?? rpc.successSchema) as Schema.Codec<unknown, unknown>,
      error: (stream?.error ?? rpc.errorSchema) as Schema.Codec<unknown, unknown>,
      stream: stream !== undefined,
      annotations: rpc.annotations
    }
  })
  const twice = definitions.find(({ name }, index) => definitions.findIndex((other) => other.name === name) < index)
  if (twice !== undefined) throw new TypeError(`two methods of one service have the same name: ${twice.name}`)
  return new Map(definitions.map((definition) => [definition.name, definition]))
}

/** What a method may fail with over any distance. */
export const errorSchema = (method: Definition): Schema.Codec<unknown, unknown> =>
  Schema.Union([method.error, ServiceError])

/**
 * The methods of a contract as RPCs named `<service>/<method>`, whose payloads, results and errors are encoded and
 * decoded by the ends of the hop and not by the RPC machinery.
 */
export const toProtocol = (name: string, methods: ReadonlyMap<string, Definition>): Protocol => {
  const travelling = Array.from(methods.values(), (method) =>
    Rpc.make(`${name}/${method.name}`, {
      payload: Schema.Any,
      success: Schema.Any,
      error: Schema.Any,
      stream: method.stream
    }).annotateMerge(method.annotations))
  // A group is invariant in its methods, whose types are erased here on purpose.
  return RpcGroup.make(...travelling) as RpcGroup.Any as Protocol
}

/** What carries the items of streams in payloads; it is beside the methods of a service, and none of them. */
export const streamRpc = Rpc.make("chorale/stream", { payload: Schema.Any, success: Schema.Any, error: Schema.Any })
