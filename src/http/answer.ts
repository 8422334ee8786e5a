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
  /** Whether the model declares it; everything else is a refusal by the library. */
  readonly declared?: boolean
}

export const failure = (status: number, tag: string, error: string, headers: Failure["headers"] = {}): Failure => ({
  status,
  body: { _tag: tag, error },
  headers
})

/** A server that is about to stop. */
export const stopping = failure(503, "Unavailable", "the server is stopping", { "retry-after": "1" })

/** What is answered when a handler dies: nothing of its cause. */
export const defect = failure(
  500,
  "Defect",
  "the service failed in a way its contract does not declare; the log of the server has the cause"
)

export const toResponse = (failure: Failure): HttpServerResponse.HttpServerResponse => {
  const { body, headers, status } = failure
  const response = HttpServerResponse.jsonUnsafe(body, { status, headers })
  if (failure.declared !== true) refusals.set(response, body._tag)
  return response
}

// What a response was made from cannot be read from it again, and belongs to the response.
const refusals = new WeakMap<HttpServerResponse.HttpServerResponse, string>()

/** The tag of the failure that a response tells of, unless it is one that a model declares. */
export const refusalOf = (response: HttpServerResponse.HttpServerResponse): string | undefined => refusals.get(response)

/** How the failures of a method are answered: `ServiceError` by its reason, a declared error by its schema. */
export const describe = (method: Model.Definition): (error: unknown) => Failure => {
  const encode = Schema.encodeUnknownSync(Schema.toCodecJson(method.error))
  const declared = declaredErrors(method).map(({ ast, status }) => ({ matches: Schema.is(Schema.make(ast)), status }))
  return (error) => {
    if (error instanceof ServiceError) return fromServiceError(error)
    const status = declared.find(({ matches }) => matches(error))?.status
    const fields = encode(error)
    return {
      status: status ?? 500,
      body: { _tag: method.name, error: toSentence(error), ...(isRecord(fields) ? fields : { value: fields }) },
      headers: {},
      declared: true
    }
  }
}

/** The errors that a method declares, each with the status it is answered with: that of `httpApiStatus`, or 500. */
export const declaredErrors = (
  method: Model.Definition
): ReadonlyArray<{ readonly ast: SchemaAST.AST; readonly status: number }> =>
  (SchemaAST.isUnion(method.error.ast) ? method.error.ast.types : [method.error.ast])
    .filter((ast) => !SchemaAST.isNever(ast))
    .map((ast) => {
      const status = SchemaAST.resolve(ast)?.["httpApiStatus"]
      return { ast, status: typeof status === "number" ? status : 500 }
    })

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
      return fields(429, { "retry-after": retryAfter(reason.retryAfter) })
    case "Unavailable":
      return fields(503, { "retry-after": "1" })
    case "DeadlineExceeded":
      return fields(504)
    case "ContractMismatch":
      return fields(502)
  }
}

/** Whole seconds, as HTTP asks for, and at least one so that nobody retries at once. */
const retryAfter = (duration: Duration.Duration): string =>
  String(Math.min(86_400, Math.max(1, Math.ceil(Duration.toSeconds(duration)))))

const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

const toSentence = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message === "" ? error.name : error.message
}
