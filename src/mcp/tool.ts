/** One method of a service as a tool. */
import { Cause, type Duration, Effect, Schema, SchemaAST, SchemaParser, Stream } from "effect"
import * as McpSchema from "effect/ai/McpSchema"
import * as Deadline from "../Deadline.ts"
import * as Answer from "../http/answer.ts"
import * as Misfit from "../http/misfit.ts"
import { isBytes } from "../internal/bytesCodec.ts"
import * as Payload from "../internal/payload.ts"
import type * as Model from "../Model.ts"
import * as Content from "./content.ts"
import * as ObjectSchema from "./schema.ts"

export interface Options {
  readonly name: string
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly readOnly: boolean
  readonly destructive: boolean
  readonly idempotent: boolean
  readonly mediaType?: string | undefined
  readonly timeout: Duration.Input
}

const outputOf = (method: Model.Definition): ObjectSchema.ObjectSchema =>
  method.stream
    ? ObjectSchema.listOf(ObjectSchema.make(method.success.ast, "item"), "items")
    : ObjectSchema.make(method.success.ast, "result")

/** What a client is told of a tool. */
export const describe = (method: Model.Definition, options: Options): McpSchema.Tool => {
  const { destructive, idempotent, name, readOnly, title } = options
  const description = options.description ?? method.payload.ast.annotations?.["description"]
  return new McpSchema.Tool({
    name,
    ...title === undefined ? {} : { title },
    ...typeof description === "string" ? { description } : {},
    inputSchema: ObjectSchema.make(method.payload.ast, "payload").schema,
    ...hasOutput(method) ? { outputSchema: outputOf(method).schema } : {},
    annotations: {
      readOnlyHint: readOnly,
      destructiveHint: destructive,
      idempotentHint: idempotent,
      openWorldHint: false
    }
  })
}

/** Bytes are content of their own, and a method without a result has nothing to describe. */
const hasOutput = (method: Model.Definition): boolean =>
  method.stream || !isBytes(method.success.ast) && !SchemaAST.isVoid(method.success.ast)

type Call = (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** Answers a call of a tool. It never fails: what goes wrong is a result that says so. */
export const handle = (
  service: string,
  method: Model.Definition,
  call: Call,
  options: Options
): (arguments_: unknown) => Effect.Effect<McpSchema.CallToolResult> => {
  const { field } = ObjectSchema.make(method.payload.ast, "payload")
  const decode = SchemaParser.decodeUnknownEffect(Schema.toCodecJson(method.payload))
  const refuse = Payload.refusal(service, method.name)
  const describe = Answer.describe(method)
  const run = runner(service, method, Payload.trusting(call), options)
  const payloadOf = (arguments_: unknown): unknown => {
    if (SchemaAST.isVoid(method.payload.ast)) return null
    const fields = arguments_ ?? {}
    return field === undefined || typeof fields !== "object" ? fields : Reflect.get(fields, field)
  }
  return (arguments_) =>
    Effect.suspend(() => decode(payloadOf(arguments_))).pipe(
      Effect.mapError(refuse),
      Effect.flatMap(run),
      Deadline.within(options.timeout),
      Effect.catchCause((cause) => {
        const failed = cause.reasons.find(Cause.isFailReason)
        if (failed !== undefined) return Effect.sync(() => Content.fromFailure(describe(failed.error)))
        if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
        return Effect.as(Effect.logError("A call failed with a defect", cause), Content.fromFailure(Answer.defect))
      })
    )
}

const runner = (service: string, method: Model.Definition, call: Call, { mediaType }: Options) => {
  const { field } = outputOf(method)
  const toJson = SchemaParser.encodeUnknownEffect(Schema.toCodecJson(method.success))
  const orDie = Misfit.orDie(service, method)
  const encode = (value: unknown): Effect.Effect<unknown> => orDie(toJson(value))
  // The contract says whether a method answers once or streams; the erased client does not, hence the two assertions.
  if (method.stream) {
    return (payload: unknown) =>
      (call(payload) as Stream.Stream<unknown, unknown>).pipe(
        Stream.mapEffect(encode),
        Stream.runCollect,
        Effect.map((items) => Content.fromJson(items, field))
      )
  }
  const answer = (result: unknown): Effect.Effect<McpSchema.CallToolResult> => {
    if (SchemaAST.isVoid(method.success.ast)) return Effect.succeed(Content.nothing)
    return isBytes(method.success.ast) && result instanceof Uint8Array
      ? Effect.succeed(Content.fromBytes(result, mediaType, `chorale://${service}/${method.name}`))
      : Effect.map(encode(result), (json) => Content.fromJson(json ?? null, field))
  }
  return (payload: unknown) => Effect.flatMap(call(payload) as Effect.Effect<unknown, unknown>, answer)
}
