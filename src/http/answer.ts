/** What the HTTP surface says of a failure: `{ "_tag", "error", ...fields }` with the right status. */
import { Duration, Schema, SchemaAST } from "effect"
import { HttpServerResponse } from "effect/http"
import type * as Model from "../Model.ts"
import { ServiceError } from "../ServiceError.ts"

/** A failure: its status, its tag, a sentence for people, and whatever fields there are to act on. */
export interface Failure {
  readonly status: number
  readonly body: { readonly _tag: string; readonly error: string; readonly [field: string]: unknown }
  readonly headers: Readonly<Record<string, string>>
}

export const failure = (status: number, tag: string, error: string, headers: Failure["headers"] = {}): Failure => ({
  status,
  body: { _tag: tag, error },
  headers
})

export const toResponse = ({ body, headers, status }: Failure): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(body, { status, headers })

/** How the failures of a method are answered: `ServiceError` by its reason, a declared error by its schema. */
export const describe = (method: Model.Definition): (error: unknown) => Failure => {
  const encode = Schema.encodeUnknownSync(Schema.toCodecJson(method.error))
  const declared = (SchemaAST.isUnion(method.error.ast) ? method.error.ast.types : [method.error.ast]).map((ast) => ({
    matches: Schema.is(Schema.make(ast)),
    status: SchemaAST.resolve(ast)?.["httpApiStatus"]
  }))
  return (error) => {
    if (error instanceof ServiceError) return fromServiceError(error)
    const status = declared.find(({ matches }) => matches(error))?.status
    const fields = encode(error)
    return {
      status: typeof status === "number" ? status : 500,
      body: { _tag: method.name, error: toSentence(error), ...(isRecord(fields) ? fields : { value: fields }) },
      headers: {}
    }
  }
}

export const fromServiceError = (error: ServiceError): Failure => {
  const { method, reason, service } = error
  const fields = (status: number, headers: Failure["headers"] = {}): Failure => ({
    status,
    body: { _tag: reason._tag, error: error.message, service, method },
    headers
  })
  switch (reason._tag) {
    case "InvalidPayload":
      return fields(400)
    case "Overloaded":
      return fields(429, { "retry-after": String(Math.ceil(Duration.toSeconds(reason.retryAfter))) })
    case "Unavailable":
      return fields(503, { "retry-after": "1" })
    case "DeadlineExceeded":
      return fields(504)
    case "ContractMismatch":
      return fields(502)
  }
}

const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

const toSentence = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message === "" ? error.name : error.message
}
