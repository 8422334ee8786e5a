/**
 * Streams as fields of a payload.
 *
 * In the same process such a stream is passed as it is. Over a hop an id
 * travels in its place, and the items follow in messages of their own.
 */
import { type Context, Effect, Schema, SchemaAST, SchemaGetter, SchemaIssue, SchemaParser, Stream } from "effect"
import type * as ServiceError from "../ServiceError.ts"

/**
 * The schema of a stream in a payload.
 *
 * @category schemas
 * @since 0.2.0
 */
export interface StreamSchema<Item extends Schema.Top, E extends Schema.Top> extends
  Schema.declareConstructor<
    Stream.Stream<Item["Type"], E["Type"] | ServiceError.ServiceError>,
    Stream.Stream<Item["Type"], E["Type"] | ServiceError.ServiceError>,
    readonly []
  >
{
  readonly item: Item
  readonly error: E
}

/**
 * Makes the schema of a payload's field that is a stream.
 *
 * The handler runs the stream, as often as it likes; only then does the caller's side produce, and no faster than the
 * handler takes. Each item is checked as it passes; one that does not fit fails the stream with `InvalidPayload`. The
 * stream may always fail with `ServiceError`, so that a stream of one service can be the payload of another. Only a
 * field of a payload that is a struct can be a stream, not what is inside of one.
 *
 * **Example** (Audio in, text out, both while they come)
 *
 * ```ts
 * import { Model, Tensor } from "chorale"
 * import { Schema, Stream } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Transcriber extends Model.Service<Transcriber>()("voice/Transcriber", [
 *   Rpc.make("transcribe", {
 *     payload: { language: Schema.String, audio: Model.streamOf(Tensor.schema("float32", ["samples"])) },
 *     success: Schema.String,
 *     stream: true
 *   })
 * ]) {}
 *
 * export const TranscriberFake = Transcriber.toLayer({
 *   transcribe: ({ audio, language }) => Stream.map(audio, ({ data }) => `${data.length} samples of ${language}`)
 * })
 * ```
 *
 * @category schemas
 * @since 0.2.0
 */
export const streamOf = <Item extends Schema.Top, E extends Schema.Top = typeof Schema.Never>(
  item: Item,
  error?: E
): StreamSchema<Item, E> => {
  type Self = Stream.Stream<Item["Type"], E["Type"] | ServiceError.ServiceError>
  // Without an error schema `E` is `Never`, as its default says.
  const failure = error ?? Schema.Never as Schema.Top as E
  const declared = Schema.declareConstructor<Self>()(
    [],
    () => (input) =>
      Stream.isStream(input) || input instanceof StreamId
        // What the items are is seen as they pass.
        ? Effect.succeed(input as Self)
        : Effect.fail(new SchemaIssue.InvalidValue({ message: "Expected a stream" })),
    {
      expected: "Stream",
      [annotation]: { item, error: failure },
      toCodecJson: () =>
        Schema.link<Self>()(Schema.String, {
          // An id stands for a stream only between `mapStreams` and the codec, on both sides.
          decode: SchemaGetter.transform((id) => new StreamId(id) as unknown as Self),
          encode: SchemaGetter.transformEffect((stream: unknown) =>
            stream instanceof StreamId ? Effect.succeed(stream.id) : Effect.fail(cannotTravel)
          )
        })
    }
  )
  return Object.assign(declared, { item, error: failure })
}

/** The schemas of the items of a stream, and of what it may fail with. */
export interface Items {
  readonly item: Schema.Codec<unknown, unknown>
  readonly error: Schema.Codec<unknown, unknown>
}

/** What a schema node says of its items, where it is a stream. */
export const itemsOf = (ast: SchemaAST.AST): Items | undefined =>
  // Only `streamOf` writes the annotation. Contracts are plain schemas, without services of their own.
  ast.annotations?.[annotation] as Items | undefined

/** The fields of a payload that are streams, by name. */
export const streamFields = (payload: Schema.Top): ReadonlyMap<string, Items> => {
  const { ast } = payload
  const fields = SchemaAST.isObjects(ast) ? ast.propertySignatures : []
  return new Map(fields.flatMap(({ name, type }) => {
    const items = itemsOf(type)
    return items === undefined ? [] : [[String(name), items] as const]
  }))
}

/** The payload with what `replace` gives in place of its streams. */
export const mapStreams = (
  payload: unknown,
  fields: ReadonlyMap<string, Items>,
  replace: (value: unknown, field: string) => unknown
): unknown => {
  // The payload was checked: it is a struct.
  const replaced = { ...payload as Record<string, unknown> }
  for (const field of fields.keys()) {
    // An optional stream that is not there stays away.
    if (replaced[field] !== undefined) replaced[field] = replace(replaced[field], field)
  }
  return replaced
}

/**
 * The payload with streams that check each item as it passes, for a handler in the same process.
 *
 * The streams run in the context of their caller, as they would from anywhere else.
 */
export const checkItems = (
  fields: ReadonlyMap<string, Items>,
  refuse: (issue: SchemaIssue.Issue) => ServiceError.ServiceError
): (payload: unknown, caller: Context.Context<never>) => unknown => {
  const checks = new Map(Array.from(fields, ([field, { item }]) => [field, SchemaParser.makeEffect(item)] as const))
  return (payload, caller) =>
    mapStreams(payload, fields, (value, field) => {
      const check = checks.get(field)
      // The payload was checked: where its schema has a stream, it has one.
      const stream = value as Stream.Stream<unknown, unknown>
      const checked = check === undefined
        ? stream
        : Stream.mapEffect(stream, (item) => Effect.mapError(check(item), refuse))
      return Stream.provideContext(checked, caller)
    })
}

/** What travels in place of a stream. */
export class StreamId {
  readonly id: string

  constructor(id: string) {
    this.id = id
  }
}

const annotation = "chorale/Stream"

const cannotTravel = new SchemaIssue.InvalidValue({ message: "A stream cannot travel here" })
