/**
 * What the two ends of a hop tell each other about a stream in a payload.
 *
 * The caller sends all messages. It asks to be told when the handler runs the stream, and when the handler has enough
 * of it; in between it sends the items. The answer to each is whether to go on. A handler may run a stream again: the
 * runs of one stream are counted from 0.
 */
import { Schema, SchemaParser } from "effect"
import type { RpcSerialization } from "effect/rpc"
import { ServiceError } from "../ServiceError.ts"
import type { Items } from "./payloadStream.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const common = { id: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)), run: Count }

/**
 * The schema of a message.
 *
 * - `start` is answered when the handler runs the stream for the `run`-th time; false means not yet: ask again.
 * - `items` and `end` are answered when there is room for more; false means that the run takes no more.
 * - `watch` is answered with false when the run takes no more; true means that it still does: ask again.
 */
export const Message = Schema.Union([
  Schema.Struct({ type: Schema.Literals(["start", "watch"]), ...common }),
  Schema.Struct({
    type: Schema.Literal("items"),
    ...common,
    sequence: Count,
    values: Schema.NonEmptyArray(Schema.Any)
  }),
  Schema.Struct({ type: Schema.Literal("end"), ...common, sequence: Count, exit: Schema.Any })
])

/** A message. */
export type Message = typeof Message.Type

/** A new id: 128 random bits, so that nobody but the callee can know it. */
export const makeId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/** The items of a stream and its end, as they travel and as they are. */
export const codecs = ({ error, item }: Items, codecFor: RpcSerialization.CodecFor) => {
  const exit = codecFor(Schema.Exit(Schema.Void, Schema.Union([error, ServiceError]), Schema.Defect()))
  return {
    encodeItem: SchemaParser.encodeUnknownEffect(codecFor(item)),
    decodeItem: SchemaParser.decodeUnknownEffect(codecFor(item)),
    encodeExit: SchemaParser.encodeUnknownEffect(exit),
    decodeExit: SchemaParser.decodeUnknownEffect(exit)
  }
}

/** About how many bytes an encoded value takes. */
export const sizeOf = (encoded: unknown): number => {
  if (typeof encoded === "string") return encoded.length
  if (typeof encoded !== "object" || encoded === null) return 8
  if (ArrayBuffer.isView(encoded) || encoded instanceof ArrayBuffer) return encoded.byteLength
  let size = 16
  for (const value of Object.values(encoded)) size += sizeOf(value)
  return size
}
