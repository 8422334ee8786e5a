/** An embedder as the `EmbeddingModel` of `effect/ai`. */
import { Context, Effect } from "effect"
import * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Deadline from "../Deadline.ts"
import type * as Model from "../Model.ts"
import { ServiceError } from "../ServiceError.ts"
import * as Embedder from "./embedder.ts"

export const make = (
  service: string,
  method: Model.Definition,
  shape: Embedder.Shape,
  client: Model.AnyClient,
  concurrency: number
): Effect.Effect<EmbeddingModel.EmbeddingModel> => {
  // A method that is an embedder does not stream.
  const call = client[method.name]! as (payload: unknown) => Effect.Effect<unknown, unknown>
  const vectorsOf = Embedder.vectorsOf(shape, call, concurrency)
  const toError = (error: unknown) =>
    AiError.make({ module: service, method: method.name, reason: reasonOf(error, method.name) })
  return EmbeddingModel.make({
    embedMany: ({ inputs }) =>
      vectorsOf(inputs).pipe(
        Effect.mapBoth({
          onSuccess: (vectors) => ({
            results: vectors.map((vector) => Array.from(vector)),
            usage: { inputTokens: undefined }
          }),
          onFailure: toError
        })
      ),
    // One deadline holds for a batch.
    batchKey: (context) => Context.get(context, Deadline.Current)
  })
}

const reasonOf = (error: unknown, method: string): AiError.AiErrorReason => {
  const description = error instanceof Error ? error.message : String(error)
  if (!(error instanceof ServiceError)) return new AiError.InvalidRequestError({ description })
  switch (error.reason._tag) {
    case "Overloaded":
      return new AiError.RateLimitError({ retryAfter: error.reason.retryAfter })
    case "Unavailable":
      return new AiError.NetworkError({
        reason: "TransportError",
        method: "POST",
        url: `${error.service}/${method}`,
        description
      })
    case "InvalidPayload":
      return new AiError.InvalidRequestError({ description })
    case "ContractMismatch":
      return new AiError.InvalidResponseError({ description })
    case "DeadlineExceeded":
      return new AiError.UnknownError({ description })
  }
}
