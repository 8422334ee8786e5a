/** The methods of the two services that a server offers, each as an effect. */
import { type Context, Effect } from "effect"
import * as Call from "../openInference/call.ts"
import * as ServerMetadata from "../openInference/metadata.ts"
import * as Model from "../openInference/model.ts"
import * as Request from "../openInference/request.ts"
import { readinessOf } from "../openInference/routes.ts"
import type * as InferMessage from "./inferMessage.ts"
import * as Protocol from "./protocol.ts"
import * as Tensors from "./tensors.ts"

/** A method of a service: what it answers to a message, whose types the definition of the service has. */
export type Method = (request: never) => Effect.Effect<unknown, Call.Failure>

export interface Methods {
  readonly inference: Readonly<Record<string, Method>>
  readonly health: Readonly<Record<string, Method>>
}

/** A server that stops says that it is not ready. */
export interface Stopping {
  now: boolean
}

export const make = (
  context: Context.Context<never>,
  models: ReadonlyMap<string, Model.Served>,
  options: ServerMetadata.ServerOptions,
  stopping: Stopping
): Methods => {
  const missing = readinessOf(context)
  const isReady = Effect.suspend(() =>
    stopping.now ? Effect.succeed(false) : Effect.map(missing, (failure) => failure === undefined)
  )
  const ready = Effect.map(isReady, (ready) => ({ ready }))
  const find = ({ name, version }: Protocol.ModelRequest) => {
    const model = ServerMetadata.hasVersion(options, version) ? models.get(name) : undefined
    return model === undefined
      ? Effect.fail(Call.fromRefusal(Model.unknown(name, version === "" ? undefined : version, models)))
      : Effect.succeed(model)
  }
  return {
    inference: {
      ServerLive: () => Effect.succeed({ live: true }),
      ServerReady: () => ready,
      // A model that is not there is not ready, as clients expect.
      ModelReady: (request: Protocol.ModelRequest) =>
        Effect.matchEffect(find(request), {
          onFailure: () => Effect.succeed({ ready: false }),
          onSuccess: () => ready
        }),
      ServerMetadata: () => Effect.succeed({ ...ServerMetadata.ofServer(options), extensions: [] }),
      ModelMetadata: (request: Protocol.ModelRequest) =>
        Effect.map(find(request), (model) => ServerMetadata.ofModel(model, options)),
      ModelInfer: inferWith(context, models, options, find)
    },
    health: {
      Check: ({ service }: { readonly service: string }) =>
        service === "" || service === Protocol.serviceName
          ? Effect.map(isReady, (ready) => ({ status: ready ? "SERVING" : "NOT_SERVING" }))
          : Effect.fail({ status: 404, message: `there is no service ${service.slice(0, 100)}`, retryAfter: undefined })
    }
  }
}

const inferWith = (
  context: Context.Context<never>,
  models: ReadonlyMap<string, Model.Served>,
  { version = "" }: ServerMetadata.ServerOptions,
  find: (request: Protocol.ModelRequest) => Effect.Effect<Model.Served, Call.Failure>
) => {
  const offered = new Map(Array.from(models.values(), (model) => [model, {
    call: Call.make(context, model),
    expected: Request.expectedOf(model)
  }]))
  return Effect.fnUntraced(function*(request: InferMessage.InferMessage) {
    const model = yield* find({ name: request.model_name, version: request.model_version })
    const { call, expected } = offered.get(model) ?? (yield* Effect.die("a model is not offered"))
    const { inputs, outputs } = yield* Call.attempt(() => read(expected, request))
    const results = yield* call(inputs)
    const named = outputs.flatMap((name) => {
      const tensor = results.get(name)
      return tensor === undefined ? [] : [[name, tensor] as const]
    })
    const { entries, raw } = Tensors.write(named, request.raw.length > 0)
    return {
      model_name: model.name,
      model_version: version,
      id: request.id,
      outputs: entries,
      raw_output_contents: raw
    } satisfies Protocol.InferResponseToSend
  })
}

const read = (expected: Request.Expected, request: InferMessage.InferMessage) => {
  const inputs = Tensors.read({
    kind: "input",
    entries: request.tensors,
    raw: request.raw,
    expected: expected.inputs,
    lenient: false
  })
  const asked = new Set<string>()
  for (const name of request.asked) Request.checkOutput(expected.outputs, asked, name)
  return { inputs, outputs: Array.from(asked.size === 0 ? expected.outputs.keys() : asked) }
}
