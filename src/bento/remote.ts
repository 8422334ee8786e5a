/** A method of a service that is an API of a BentoML server. */
import { Effect, Schema, SchemaAST, SchemaIssue, SchemaParser, Stream } from "effect"
import { type HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import * as ForeignCall from "../http/foreignCall.ts"
import * as Reason from "../http/reason.ts"
import { codecFor, isBytes } from "../internal/bytesCodec.ts"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import type { Api } from "./api.ts"
import * as Failure from "./failure.ts"
import * as ApiSchema from "./schema.ts"
import * as Values from "./values.ts"

/** A method, the API that answers it, and where that is. */
export interface Called {
  readonly method: Model.Definition
  readonly api: Api
  readonly url: string
  readonly client: HttpClient.HttpClient
}

type Handler = (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

export const make = ({ api, client, method, url }: Called): Handler => {
  const address = `${url.replace(/\/+$/, "")}${api.route}`
  const write = writer(method, api, address)
  const refuse = Failure.reader(method)
  const request = (payload: unknown) =>
    Effect.flatMap(write(payload), (request) => ForeignCall.send(client, request, refuse))
  const read = reader(method, api, address)
  return method.stream
    ? (payload) => Stream.unwrap(Effect.map(request(payload), (response) => chunks(method, response, address)))
    : (payload) => Effect.flatMap(request(payload), read)
}

/** The request of a call: a form where a field is a file, and otherwise JSON or the one argument as it is. */
const writer = (method: Model.Definition, api: Api, address: string) => {
  const encode = SchemaParser.encodeUnknownEffect(codecFor(method.payload))
  const toBento = Values.encoder(method.payload.ast)
  const post = HttpClientRequest.post(address)
  const isRoot = ApiSchema.fieldsOf(method.payload.ast) === undefined
  const files = new Set(
    Object.entries(api.input.properties ?? {}).flatMap(([name, type]) =>
      type.type === "file" || type.items?.type === "file" ? [name] : []
    )
  )
  const toRequest = (encoded: unknown): HttpClientRequest.HttpClientRequest => {
    if (isRoot && encoded instanceof Uint8Array) return HttpClientRequest.bodyUint8Array(post, encoded)
    if (isRoot && typeof encoded === "string") return HttpClientRequest.bodyText(post, encoded)
    if (files.size === 0) return HttpClientRequest.bodyJsonUnsafe(post, toBento(encoded) ?? {})
    return HttpClientRequest.bodyFormData(post, toForm(encoded, toBento(encoded), files))
  }
  return (payload: unknown): Effect.Effect<HttpClientRequest.HttpClientRequest, ServiceError.Reason> =>
    encode(payload).pipe(
      Effect.map(toRequest),
      Effect.mapError((issue) => new ServiceError.InvalidPayload({ issue: formatIssue(issue) }))
    )
}

/** Files are taken from the payload whose bytes are bytes, everything else from its JSON. */
const toForm = (encoded: unknown, json: unknown, files: ReadonlySet<string>): FormData => {
  const form = new FormData()
  for (const [name, value] of entriesOf(json)) if (!files.has(name)) form.append(name, JSON.stringify(value))
  for (const [name, value] of entriesOf(encoded)) {
    if (!files.has(name)) continue
    for (const bytes of Array.isArray(value) ? value : [value]) {
      if (bytes instanceof Uint8Array) form.append(name, new Blob([Uint8Array.from(bytes)]), name)
    }
  }
  return form
}

const entriesOf = (value: unknown): ReadonlyArray<[string, unknown]> =>
  typeof value === "object" && value !== null ? Object.entries(value) : []

const formatIssue = SchemaIssue.makeFormatterDefault()

/** The result in a response: a text, bytes, or JSON, as the server has described it. */
const reader = (method: Model.Definition, { output }: Api, address: string) => {
  const fromBento = Values.decoder(method.success.ast)
  const decode = SchemaParser.decodeUnknownEffect(codecFor(method.success))
  const isFile = isBytes(method.success.ast) && (output.type === "file" || output.format === "binary")
  const mismatch = (issue: SchemaIssue.Issue) =>
    Reason.mismatch(address, `the result does not fit: ${formatIssue(issue)}`)
  const valueOf = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<unknown, ServiceError.Reason> => {
    if (isFile) {
      return Effect.map(ForeignCall.receive(address, response.arrayBuffer), (buffer) => new Uint8Array(buffer))
    }
    const text = ForeignCall.receive(address, response.text)
    if (output.type === "string") return text
    return Effect.flatMap(text, (text) =>
      Effect.try({
        try: () => fromBento(text === "" ? null : JSON.parse(text)),
        catch: () => Reason.mismatch(address, "it answered no JSON")
      }))
  }
  return (response: HttpClientResponse.HttpClientResponse): Effect.Effect<unknown, ServiceError.Reason> =>
    SchemaAST.isVoid(method.success.ast)
      ? Effect.asVoid(ForeignCall.receive(address, response.arrayBuffer))
      : Effect.flatMap(valueOf(response), (value) => Effect.mapError(decode(value), mismatch))
}

/** What the network gives, in the pieces it comes in. */
const chunks = (
  method: Model.Definition,
  response: HttpClientResponse.HttpClientResponse,
  address: string
): Stream.Stream<unknown, ServiceError.Reason> => {
  const bytes = Stream.mapError(response.stream, (error) => Reason.unavailable(address, error.message))
  return isBytes(method.success.ast) ? bytes : Stream.decodeText(bytes)
}

/** Whether a stream of such items can be told from its bytes. */
export const isStreamable = ({ success }: Model.Definition): boolean =>
  isBytes(success.ast) || SchemaAST.isString(Schema.toCodecJson(success).ast)
