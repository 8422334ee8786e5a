/** The APIs that a BentoML server describes, and whether they are the methods of a contract. */
import { Effect, Schema, SchemaAST, SchemaParser } from "effect"
import { type HttpClient, HttpClientRequest } from "effect/http"
import * as ForeignCall from "../http/foreignCall.ts"
import * as Reason from "../http/reason.ts"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as ApiSchema from "./schema.ts"

const Value = Schema.Struct({
  type: Schema.optionalKey(Schema.Unknown),
  format: Schema.optionalKey(Schema.Unknown),
  items: Schema.optionalKey(Schema.Struct({ type: Schema.optionalKey(Schema.Unknown) }))
})

const ApiDescription = Schema.Struct({
  name: Schema.String,
  route: Schema.String,
  input: Schema.Struct({
    properties: Schema.optionalKey(Schema.Record(Schema.String, Value)),
    required: Schema.optionalKey(Schema.Array(Schema.String)),
    root_input: Schema.optionalKey(Schema.Boolean)
  }),
  output: Schema.Struct({
    type: Schema.optionalKey(Schema.Unknown),
    format: Schema.optionalKey(Schema.Unknown),
    is_stream: Schema.optionalKey(Schema.Boolean)
  }),
  is_task: Schema.optionalKey(Schema.Boolean)
})

/** One API as the server describes it. */
export type Api = typeof ApiDescription.Type

const decode = SchemaParser.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ routes: Schema.Array(ApiDescription) }))
)

/** What the server says of itself. */
export const read = (
  client: HttpClient.HttpClient,
  url: string
): Effect.Effect<ReadonlyArray<Api>, ServiceError.Reason> => {
  const address = `${url.replace(/\/+$/, "")}/schema.json`
  return ForeignCall.send(
    client,
    HttpClientRequest.get(address),
    (refusal) => ForeignCall.toReason(refusal, refusal.text)
  ).pipe(
    Effect.flatMap((response) => ForeignCall.receive(address, response.text)),
    Effect.flatMap((text) =>
      Effect.mapError(decode(text), () => Reason.mismatch(address, "it is no description of a BentoML service"))
    ),
    Effect.map(({ routes }) => routes),
    Effect.timeoutOrElse({
      duration: "10 seconds",
      orElse: () => Effect.fail(new ServiceError.Unavailable({ detail: `${address} does not answer` }))
    })
  )
}

/** What keeps an API from answering a method, as a sentence; nothing where it can. */
export const difference = ({ payload, stream }: Model.Definition, api: Api): string | undefined => {
  if (api.is_task === true) return "it is a task"
  if ((api.output.is_stream ?? false) !== stream) return stream ? "it answers no stream" : "it answers a stream"
  const fields = ApiSchema.fieldsOf(payload.ast)
  const isRoot = api.input.root_input ?? false
  if (fields === undefined || isRoot) {
    return fields === undefined && isRoot
      ? undefined
      : isRoot
      ? "it takes one argument without a name, and the payload has fields"
      : "it takes arguments by name, and the payload has no fields"
  }
  const own = new Set(fields.map(({ name }) => String(name)))
  const taken = api.input.properties ?? {}
  const unknown = Array.from(own).filter((name) => !Object.hasOwn(taken, name))
  if (unknown.length > 0) return `it takes no ${unknown.join(", ")}`
  const always = new Set(fields.filter(({ type }) => !SchemaAST.isOptional(type)).map(({ name }) => String(name)))
  const missing = (api.input.required ?? []).filter((name) => !always.has(name))
  return missing.length > 0 ? `it requires ${missing.join(", ")}` : undefined
}
