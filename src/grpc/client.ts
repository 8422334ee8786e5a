/** Models that a server elsewhere has, over gRPC. */
import * as Grpc from "@grpc/grpc-js"
import { Effect, type Fiber, Redacted, type Tracer } from "effect"
import * as Deadline from "../Deadline.ts"
import * as Trace from "../http/trace.ts"
import type { Bound } from "../openInference/binding.ts"
import type { TensorMetadata } from "../openInference/metadata.ts"
import type { Named } from "../openInference/model.ts"
import { type Infer, readAnswer } from "../openInference/remoteMethod.ts"
import { byName } from "../openInference/request.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Protocol from "./protocol.ts"
import * as Status from "./status.ts"
import * as Tensors from "./tensors.ts"

/** A connection, and what goes along with every call. */
export interface Channel {
  readonly client: Grpc.Client
  readonly token: Redacted.Redacted | undefined
}

/** What the server says of a model. One that says nothing is not there. */
export const metadata = (channel: Channel, { model, version = "" }: Bound) =>
  unary(channel, Protocol.metadataMethod, { name: model, version }, channelMetadata(channel), Date.now() + 10_000).pipe(
    Effect.mapBoth({
      onSuccess: ({ inputs, outputs }) => ({ inputs: inputs.map(toMetadata), outputs: outputs.map(toMetadata) }),
      onFailure: (reason) =>
        reason._tag === "DeadlineExceeded"
          ? new ServiceError.Unavailable({ detail: `${channel.client.getChannel().getTarget()} does not answer` })
          : reason
    })
  )

const toMetadata = ({ datatype, name, shape }: Protocol.TensorMetadata): TensorMetadata => ({
  name,
  datatype,
  shape: shape.map(Number)
})

/** Calls a model. Its tensors travel raw. */
export const infer = (channel: Channel, { inputs, model, outputs, version = "" }: Bound): Infer => {
  const asked = Array.from(outputs.values(), ({ name }) => ({ name }))
  const expected = byName(Array.from(outputs.values()))
  const fieldOf = new Map(Array.from(outputs, ([field, { name }]) => [name, field]))
  return Effect.fnUntraced(function*(
    named: Named,
    fiber: Fiber.Fiber<unknown, unknown>,
    span: Tracer.Span | undefined
  ) {
    const tensors = Array.from(named, ([field, tensor]) => [inputs.get(field)?.name ?? field, tensor] as const)
    const { entries, raw } = Tensors.write(tensors, true)
    const request = {
      model_name: model,
      model_version: version,
      inputs: entries,
      outputs: asked,
      raw_input_contents: raw
    }
    const { traceparent } = Trace.headerOf(fiber, span)
    const metadata = channelMetadata(channel)
    if (traceparent !== undefined) metadata.set("traceparent", traceparent)
    const response = yield* unary(channel, Protocol.inferMethod, request, metadata, deadlineOf(fiber))
    const results = yield* readAnswer(() =>
      Tensors.read({
        kind: "output",
        entries: response.tensors,
        raw: response.raw,
        expected,
        lenient: true
      })
    )
    return new Map(Array.from(results, ([name, tensor]) => [fieldOf.get(name) ?? name, tensor]))
  })
}

const channelMetadata = ({ token }: Channel): Grpc.Metadata => {
  const metadata = new Grpc.Metadata()
  if (token !== undefined) metadata.set("authorization", `Bearer ${Redacted.value(token)}`)
  return metadata
}

/**
 * On the clock of this machine; what travels is how much is left, in whole milliseconds that are rounded up. So it is
 * one less, and the server has no more time than there is.
 */
const deadlineOf = (fiber: Fiber.Fiber<unknown, unknown>): number => {
  const deadline = fiber.getRef(Deadline.Current)
  return deadline === undefined ? Infinity : Date.now() + Math.max(0, deadline.at - Deadline.now(fiber) - 1)
}

const unary = <Request, Response>(
  { client }: Channel,
  { path, requestSerialize, responseDeserialize }: Grpc.MethodDefinition<Request, Response>,
  request: Request,
  metadata: Grpc.Metadata,
  deadline: number
): Effect.Effect<Response, ServiceError.Reason> =>
  Effect.callback((resume) => {
    const start = performance.now()
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      { deadline },
      (error, response) => {
        if (error !== null) resume(Effect.fail(Status.toReason(error, performance.now() - start)))
        else if (response !== undefined) resume(Effect.succeed(response))
      }
    )
    return Effect.sync(() => call.cancel())
  })
