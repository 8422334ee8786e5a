/** Recorded spans as a file: those that `chorale bench` writes, and traces of OpenTelemetry in JSON. */
import { Result, Schema } from "effect"
import type { RecordedSpan } from "./criticalPath.ts"

/**
 * A text that has no recorded spans.
 *
 * @category errors
 * @since 0.3.0
 */
export class SpanFileInvalid extends Schema.TaggedError<SpanFileInvalid>()("SpanFileInvalid", {
  file: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.file} ${this.detail}`
  }
}

/**
 * Spans as the text of a file, one in a line, which `parseSpanFile` reads.
 *
 * Attributes that are neither texts nor numbers, true or false, are left out.
 *
 * @category converting
 * @since 0.3.0
 */
export const toSpanFile = (spans: ReadonlyArray<RecordedSpan>): string => {
  const lines = spans.map(({ attributes, ...span }) =>
    JSON.stringify({ ...span, attributes: Object.fromEntries(Object.entries(attributes).filter(isPlain)) })
  )
  return `{"format":"${format}","spans":[\n${lines.join(",\n")}\n]}\n`
}

const format = "chorale-spans"

const isPlain = ([, value]: readonly [string, unknown]): boolean =>
  typeof value === "string" || typeof value === "boolean" || typeof value === "number" && Number.isFinite(value)

/**
 * Reads spans from the text of a file: one that `toSpanFile` made, or a trace in the JSON of OpenTelemetry, alone or as a
 * line for each export, as collectors write them.
 *
 * A span that is there twice counts once, and one that has not ended is left out.
 *
 * @category constructors
 * @since 0.3.0
 */
export const parseSpanFile = (
  text: string,
  { file = "the file" }: { readonly file?: string } = {}
): Result.Result<ReadonlyArray<RecordedSpan>, SpanFileInvalid> => {
  const refuse = (detail: string) => Result.fail(new SpanFileInvalid({ file, detail }))
  const documents = parseDocuments(text)
  if (Result.isFailure(documents)) return refuse(documents.failure)
  const spans = new Map<string, RecordedSpan>()
  for (const document of documents.success) {
    const decoded = decodeDocument(document)
    if (Result.isFailure(decoded)) return refuse(decoded.failure)
    for (const span of decoded.success) if (span.end >= span.start) spans.set(span.id, span)
  }
  return spans.size === 0 ? refuse("has no spans in it") : Result.succeed(Array.from(spans.values()))
}

/** One document, or one in each line. */
const parseDocuments = (text: string): Result.Result<ReadonlyArray<unknown>, string> => {
  const whole = Result.try((): unknown => JSON.parse(text))
  if (Result.isSuccess(whole)) return Result.succeed([whole.success])
  const documents: Array<unknown> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const document = Result.try((): unknown => JSON.parse(line))
    if (Result.isFailure(document)) {
      return Result.fail(`is no JSON: ${index === 0 ? reasonOf(whole) : `line ${index + 1}`}`)
    }
    documents.push(document.success)
  }
  return Result.succeed(documents)
}

const reasonOf = ({ failure }: Result.Failure<unknown, unknown>): string =>
  failure instanceof Error ? failure.message.replaceAll(/\s*\n\s*/g, " ") : String(failure)

const Own = Schema.Struct({
  format: Schema.Literal(format),
  spans: Schema.Array(Schema.Struct({
    id: Schema.String,
    parent: Schema.optionalKey(Schema.String),
    name: Schema.String,
    start: Schema.Finite,
    end: Schema.Finite,
    attributes: Schema.Record(Schema.String, Schema.Unknown)
  }))
})

const Nanoseconds = Schema.Union([Schema.String.check(Schema.isPattern(/^[0-9]+$/)), Schema.Finite])

const OpenTelemetry = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    scopeSpans: Schema.optionalKey(Schema.Array(Schema.Struct({
      spans: Schema.optionalKey(Schema.Array(Schema.Struct({
        traceId: Schema.String,
        spanId: Schema.String,
        parentSpanId: Schema.optionalKey(Schema.NullOr(Schema.String)),
        name: Schema.String,
        startTimeUnixNano: Nanoseconds,
        endTimeUnixNano: Nanoseconds,
        attributes: Schema.optionalKey(Schema.Array(Schema.Struct({
          key: Schema.String,
          value: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
        })))
      })))
    })))
  }))
})

const decodeDocument = (document: unknown): Result.Result<ReadonlyArray<RecordedSpan>, string> => {
  const has = (key: string) => typeof document === "object" && document !== null && key in document
  if (has("resourceSpans")) {
    return Result.map(Result.mapError(Schema.decodeUnknownResult(OpenTelemetry)(document), issueOf), fromOpenTelemetry)
  }
  if (has("format")) {
    return Result.map(Result.mapError(Schema.decodeUnknownResult(Own)(document), issueOf), ({ spans }) => spans)
  }
  return Result.fail("has no spans: expected a file of chorale bench --spans, or a trace of OpenTelemetry in JSON")
}

const issueOf = ({ message }: Schema.SchemaError): string =>
  `has spans that cannot be read: ${message.replaceAll(/\s*\n\s*/g, " ")}`

/** Ids are those of one trace. */
const fromOpenTelemetry = ({ resourceSpans }: typeof OpenTelemetry.Type): ReadonlyArray<RecordedSpan> =>
  resourceSpans.flatMap(({ scopeSpans = [] }) => scopeSpans).flatMap(({ spans = [] }) => spans).map((span) => {
    const { attributes = [], endTimeUnixNano, name, parentSpanId, spanId, startTimeUnixNano, traceId } = span
    return {
      id: `${traceId}/${spanId}`,
      ...(parentSpanId ? { parent: `${traceId}/${parentSpanId}` } : {}),
      name,
      start: millisOf(startTimeUnixNano),
      end: millisOf(endTimeUnixNano),
      attributes: Object.fromEntries(attributes.map(({ key, value = {} }) => [key, valueOf(value)]))
    }
  })

/** So many digits are more than a number holds. */
const millisOf = (nanoseconds: string | number): number =>
  typeof nanoseconds === "number"
    ? nanoseconds / 1e6
    : Number(nanoseconds.slice(0, -6)) + Number(nanoseconds.slice(-6)) / 1e6

/** Whole numbers are texts there. */
const valueOf = (value: Readonly<Record<string, unknown>>): unknown =>
  "intValue" in value ? Number(value["intValue"]) : Object.values(value)[0]
