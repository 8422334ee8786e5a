/** The OpenAPI 3.1 document of a server, from the contracts of its services. */
import { Schema, SchemaAST } from "effect"
import { isBytes } from "../internal/bytesCodec.ts"
import { streamFields } from "../internal/payloadStream.ts"
import type * as Model from "../Model.ts"
import { Reason } from "../ServiceError.ts"
import * as Answer from "./answer.ts"
import * as Body from "./body.ts"
import * as Components from "./components.ts"
import type { Limits } from "./limits.ts"
import * as TensorField from "./tensorField.ts"

type Json = Components.Json

/** What the document says of the server as a whole. */
export interface Info {
  readonly title: string
  readonly version: string
  readonly description?: string | undefined
  /** Whether the server asks for a bearer token. */
  readonly secured: boolean
}

/** One operation for each method, with every error that it may answer as a response. */
export const make = (services: ReadonlyArray<Model.Any>, info: Info, limits: Limits): Json => {
  const components = new Components.Components()
  const operations = services.flatMap((service) =>
    Array.from(service.methods.values())
      .filter(({ payload }) => streamFields(payload).size === 0)
      .map((method) => [`/${service.key}/${method.name}`, operation(service.key, method, components, limits)] as const)
  )
  const schemas = components.compile()
  return {
    openapi: "3.1.0",
    info: {
      title: info.title,
      version: info.version,
      ...info.description === undefined ? {} : { description: info.description }
    },
    servers: [{ url: "/" }],
    tags: services.map(({ key }) => ({ name: key })),
    paths: Object.fromEntries(operations.map(([path, post]) => [path, { post }])),
    components: {
      schemas,
      ...info.secured ? { securitySchemes: { token: { type: "http", scheme: "bearer" } } } : {}
    },
    ...info.secured ? { security: [{ token: [] }] } : {}
  }
}

const operation = (
  service: string,
  method: Model.Definition,
  components: Components.Components,
  limits: Limits
): Json => {
  const { description } = Components.annotationsOf(method.payload.ast)
  return {
    operationId: `${service}/${method.name}`.replace(/[^A-Za-z0-9]+/g, "_"),
    summary: `${service}.${method.name}`,
    ...typeof description === "string" ? { description } : {},
    tags: [service],
    parameters: [deadline],
    ...SchemaAST.isVoid(method.payload.ast) ? {} : { requestBody: body(method, components, limits) },
    responses: { "200": success(method, components), ...failures(method, components) }
  }
}

const deadline: Json = {
  name: "chorale-deadline",
  in: "header",
  required: false,
  description: "How many milliseconds the call may take; one that is not done by then is answered with 504.",
  schema: { type: "number", minimum: 0 }
}

const body = (method: Model.Definition, components: Components.Components, limits: Limits): Json => {
  const accepts = Body.accepts(method.payload, limits)
  const json = { schema: components.add(method.payload.ast), ...examples(method.payload) }
  return {
    required: true,
    content: {
      "application/json": json,
      ...accepts.multipart ? { "multipart/form-data": { schema: form(method.payload.ast) } } : {},
      ...accepts.raw ? { "application/octet-stream": { schema: {} } } : {}
    }
  }
}

/** The fields of a form: files where bytes or tensors are expected, and JSON for everything else. */
const form = (payload: SchemaAST.AST): Json => {
  const fields = SchemaAST.isObjects(payload) ? payload.propertySignatures : []
  const isFile = (type: SchemaAST.AST) => isBytes(type) || TensorField.describe(type) !== undefined
  return {
    type: "object",
    properties: Object.fromEntries(
      fields.map(({ name, type }) => [name, isFile(type) ? { contentMediaType: "application/octet-stream" } : {}])
    )
  }
}

const success = (method: Model.Definition, components: Components.Components): Json => {
  const json = { schema: components.add(method.success.ast), ...examples(method.success) }
  if (method.stream) {
    return {
      description: "The items as they come; a failure of the stream is the last of them.",
      content: { "application/x-ndjson": json, "text/event-stream": { schema: { type: "string" } } }
    }
  }
  const content = { "application/json": json }
  return {
    description: "The result.",
    content: isBytes(method.success.ast) ? { "application/octet-stream": { schema: {} }, ...content } : content
  }
}

/** By status: what the model declares, the reasons of `ServiceError`, and what the server itself refuses. */
const failures = (method: Model.Definition, components: Components.Components): Json => {
  const byStatus = new Map<number, Array<{ readonly schema: Json; readonly what: string }>>()
  const add = (status: number, schema: Json, what: string) => {
    const known = byStatus.get(status)
    if (known === undefined) byStatus.set(status, [{ schema, what }])
    else known.push({ schema, what })
  }
  for (const { ast, status } of Answer.declaredErrors(method)) {
    const { description } = Components.annotationsOf(ast)
    const what = typeof description === "string" ? description : "An error that the model declares."
    add(status, { allOf: [components.add(ast), sentence] }, what)
  }
  for (const { status, tag, what } of refusals) add(status, refusal(tag), what)
  return Object.fromEntries(
    Array.from(byStatus).sort(([a], [b]) => a - b).map(([status, failures]) => [status, failed(status, failures)])
  )
}

const failed = (status: number, failures: ReadonlyArray<{ readonly schema: Json; readonly what: string }>): Json => {
  const [first, ...others] = failures.map(({ schema }) => schema)
  return {
    description: failures.map(({ what }) => what).join(" "),
    ...status === 429 || status === 503 ? { headers: retryAfter } : {},
    content: { "application/json": { schema: others.length === 0 ? first : { anyOf: [first, ...others] } } }
  }
}

/** Every failure has a sentence for people. */
const sentence: Json = { type: "object", properties: { error: { type: "string" } }, required: ["error"] }

const refusal = (tag: string): Json => ({
  type: "object",
  properties: { _tag: { const: tag }, error: { type: "string" } },
  required: ["_tag", "error"]
})

const retryAfter: Json = {
  "retry-after": { description: "In seconds.", schema: { type: "integer", minimum: 1 } }
}

const sentences: { readonly [Tag in Reason["_tag"]]: string } = {
  Unavailable: "No replica answered.",
  Overloaded: "The service is at its limit.",
  DeadlineExceeded: "The call did not finish before its deadline.",
  ContractMismatch: "A service and its caller disagree about the contract.",
  InvalidPayload: "The payload does not fit the contract; the message says where."
}

const refusals = [
  ...Reason.members.map((reason) => {
    const status = Components.annotationsOf(reason.ast)["httpApiStatus"]
    const tag = reason.fields._tag.schema.literal
    return { status: typeof status === "number" ? status : 500, tag, what: sentences[tag] }
  }),
  { status: 401, tag: "Unauthorized", what: "The token is missing or wrong." },
  { status: 413, tag: "PayloadTooLarge", what: "The body is larger than the server takes." },
  { status: 415, tag: "UnsupportedMediaType", what: "The content type is none that the method takes." },
  { status: 500, tag: "Defect", what: "The service failed in a way that its contract does not declare." }
]

/** The examples of a schema in its JSON form; one that does not fit it is left out. */
const examples = (schema: Schema.Codec<unknown, unknown>): Json => {
  const given = Components.annotationsOf(schema.ast)["examples"]
  if (!Array.isArray(given)) return {}
  const encode = Schema.encodeUnknownOption(Schema.toCodecJson(schema))
  const encoded = given.flatMap((example) => {
    const json = encode(example)
    return json._tag === "Some" ? [json.value] : []
  })
  const entries = encoded.map((value, index) => [`example ${index + 1}`, { value }] as const)
  return entries.length === 0 ? {} : { examples: Object.fromEntries(entries) }
}
