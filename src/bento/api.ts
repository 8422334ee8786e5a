/** The APIs that a BentoML server describes, and whether they are the methods of a contract. */
import { Effect, Schema, SchemaAST, SchemaParser } from "effect"
import { type HttpClient, HttpClientRequest } from "effect/http"
import * as ForeignCall from "../http/foreignCall.ts"
import * as Reason from "../http/reason.ts"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import * as Kinds from "./kinds.ts"
import * as ApiSchema from "./schema.ts"

const kind = {
  type: Schema.optionalKey(Schema.Unknown),
  format: Schema.optionalKey(Schema.Unknown),
  dtype: Schema.optionalKey(Schema.Unknown)
}

const Value = Schema.Struct({ ...kind, items: Schema.optionalKey(Schema.Struct(kind)) })

const ApiDescription = Schema.Struct({
  name: Schema.String,
  route: Schema.String,
  input: Schema.Struct({
    ...Value.fields,
    properties: Schema.optionalKey(Schema.Record(Schema.String, Value)),
    required: Schema.optionalKey(Schema.Array(Schema.String)),
    root_input: Schema.optionalKey(Schema.Boolean)
  }),
  output: Schema.Struct({ ...Value.fields, is_stream: Schema.optionalKey(Schema.Boolean) }),
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
export const difference = (method: Model.Definition, api: Api): string | undefined => {
  const { stream, success } = method
  if (api.is_task === true) return "it is a task"
  if ((api.output.is_stream ?? false) !== stream) return stream ? "it answers no stream" : "it answers a stream"
  const answered = SchemaAST.isVoid(success.ast) ? undefined : Kinds.differ(ApiSchema.output(method), api.output)
  return inputDifference(method, api) ?? (answered && `it answers ${answered.theirs}, not ${answered.ours}`)
}

const inputDifference = ({ payload }: Model.Definition, api: Api): string | undefined => {
  const fields = ApiSchema.fieldsOf(payload.ast)
  const isRoot = api.input.root_input ?? false
  if (fields === undefined || isRoot) {
    return fields === undefined && isRoot
      ? takesOther(undefined, payload.ast, api.input)
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
  if (missing.length > 0) return `it requires ${missing.join(", ")}`
  for (const { name, type } of fields) {
    const other = takesOther(String(name), type, taken[String(name)])
    if (other !== undefined) return other
  }
  return undefined
}

const takesOther = (name: string | undefined, type: SchemaAST.AST, theirs: typeof Value.Type | undefined) => {
  const differ = theirs && Kinds.differ(ApiSchema.valueOf(type), theirs)
  return differ && `it takes ${differ.theirs}${name === undefined ? "" : ` as ${name}`}, not ${differ.ours}`
}
