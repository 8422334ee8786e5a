/** The two services that the laws are tried on: one that does what a law needs to see, and one that calls it. */
import { Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Model from "../Model.ts"
import * as Tensor from "../Tensor.ts"

/**
 * What `Probe` says when it refuses: an error with fields of several kinds, none of which may be lost on the way.
 *
 * @category errors
 * @since 0.2.0
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  reason: Schema.String,
  at: Schema.Date,
  limits: Schema.Array(Schema.Number),
  cause: Schema.Struct({ code: Schema.BigInt, evidence: Schema.Uint8Array, hint: Schema.optionalKey(Schema.String) })
}, { httpApiStatus: 422 }) {}

/**
 * The other thing that `Probe` says, with no fields: which of two errors arrived is part of what a caller is told.
 *
 * @category errors
 * @since 0.2.0
 */
export class Exhausted extends Schema.TaggedError<Exhausted>()("Exhausted", {}, { httpApiStatus: 409 }) {}

/**
 * A tensor of every dtype.
 *
 * @category schemas
 * @since 0.2.0
 */
export const EveryDtype = Schema.Struct({
  float32: Tensor.schema("float32", ["rows", "columns"]),
  float64: Tensor.schema("float64", ["rows", "columns"]),
  float16: Tensor.schema("float16", ["rows", "columns"]),
  int8: Tensor.schema("int8", ["rows", "columns"]),
  uint8: Tensor.schema("uint8", ["rows", "columns"]),
  int16: Tensor.schema("int16", ["rows", "columns"]),
  uint16: Tensor.schema("uint16", ["rows", "columns"]),
  int32: Tensor.schema("int32", ["rows", "columns"]),
  uint32: Tensor.schema("uint32", ["rows", "columns"]),
  int64: Tensor.schema("int64", ["rows", "columns"]),
  uint64: Tensor.schema("uint64", ["rows", "columns"]),
  bool: Tensor.schema("bool", ["rows", "columns"])
})

/**
 * Tensors of every rank from none to three, any dimension of which may be zero.
 *
 * @category schemas
 * @since 0.2.0
 */
export const EveryRank = Schema.Struct({
  scalar: Tensor.schema("float64", []),
  vector: Tensor.schema("float32", ["n"]),
  matrix: Tensor.schema("int64", ["rows", "columns"]),
  cube: Tensor.schema("uint8", ["depth", "height", "width"])
})

/**
 * Values of every kind that a contract is likely to hold beside tensors.
 *
 * @category schemas
 * @since 0.2.0
 */
export const EveryValue = Schema.Struct({
  numbers: Schema.Array(Schema.Number),
  integers: Schema.Array(Schema.BigInt),
  bytes: Schema.Array(Schema.Uint8Array),
  dates: Schema.Array(Schema.Date),
  durations: Schema.Array(Schema.Duration),
  text: Schema.Array(Schema.String),
  flag: Schema.Boolean,
  nothing: Schema.Null,
  present: Schema.Option(Schema.Number),
  absent: Schema.Option(Schema.Number),
  optional: Schema.optionalKey(Schema.String),
  union: Schema.Array(
    Schema.Union([Schema.String, Schema.Boolean, Schema.Struct({ nested: Schema.Array(Schema.Int) })])
  )
})

/**
 * What a replica has seen of the calls with one id.
 *
 * `replica` is another text for every time that the implementation was built, `events` are `started`, `succeeded`,
 * `failed`, `interrupted` in the order in which they happened, and `produced` counts the items of its streams.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Sighting = Schema.Struct({
  replica: Schema.String,
  events: Schema.Array(Schema.String),
  produced: Schema.Int
})

/**
 * A span as a handler sees it, and the spans above it, nearest first.
 *
 * @category schemas
 * @since 0.2.0
 */
export const SpanReport = Schema.Struct({
  name: Schema.String,
  traceId: Schema.String,
  spanId: Schema.String,
  sampled: Schema.Boolean,
  above: Schema.Array(Schema.String)
})

/** The deadline of a handler in milliseconds from now, `null` where it has none. */
const Remaining = Schema.NullOr(Schema.Number)

const call = { id: Schema.String }

const refusal = Schema.Union([Refused, Exhausted])

/**
 * The service that the laws are tried on.
 *
 * Its methods echo, refuse, wait and stream; `observe` tells what its handlers have seen, so that a law can be checked
 * from wherever the caller is.
 *
 * @category services
 * @since 0.2.0
 */
export class Probe extends Model.Service<Probe>()("chorale/testing/Probe", [
  Rpc.make("dtypes", { payload: EveryDtype, success: EveryDtype }),
  Rpc.make("ranks", { payload: EveryRank, success: EveryRank }),
  Rpc.make("values", { payload: EveryValue, success: EveryValue }),
  Rpc.make("bytes", { payload: { body: Schema.Uint8Array }, success: Schema.Uint8Array }),
  Rpc.make("grow", { payload: { length: Schema.Int }, success: Schema.Uint8Array }),
  Rpc.make("greet", { payload: { id: Schema.String, name: Schema.NonEmptyString }, success: Schema.String }),
  Rpc.make("pair", {
    payload: { id: Schema.String, two: Tensor.schema("uint8", [2]) },
    success: Tensor.schema("uint8", [2])
  }),
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Int }),
  Rpc.make("refuse", { payload: { refusal }, error: refusal }),
  Rpc.make("shed", {}),
  Rpc.make("fault", { payload: { message: Schema.String } }),
  Rpc.make("misfit", { success: Schema.Int }),
  Rpc.make("wait", { payload: call }),
  Rpc.make("rest", { payload: { ...call, duration: Schema.DurationFromMillis } }),
  Rpc.make("turn", { payload: { ...call, duration: Schema.DurationFromMillis } }),
  Rpc.make("hold", { payload: call }),
  Rpc.make("count", { payload: { ...call, to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("countAndRefuse", {
    payload: { to: Schema.Int, refusal },
    success: Schema.Int,
    error: refusal,
    stream: true
  }),
  Rpc.make("countAndFault", { payload: { to: Schema.Int, message: Schema.String }, success: Schema.Int, stream: true }),
  Rpc.make("drip", { payload: call, success: Schema.Int, stream: true }),
  Rpc.make("flood", {
    payload: { ...call, items: Schema.Int, length: Schema.Int },
    success: Schema.Uint8Array,
    stream: true
  }),
  Rpc.make("remaining", { payload: call, success: Remaining }),
  Rpc.make("span", { success: SpanReport }),
  Rpc.make("observe", { payload: call, success: Sighting }),
  Rpc.make("crash", {})
]) {}

/**
 * A service that calls `Probe`, so that a law can be tried over two hops.
 *
 * @category services
 * @since 0.2.0
 */
export class Relay extends Model.Service<Relay>()("chorale/testing/Relay", [
  Rpc.make("values", { payload: EveryValue, success: EveryValue }),
  Rpc.make("refuse", { payload: { refusal }, error: refusal }),
  Rpc.make("shed", {}),
  Rpc.make("fault", { payload: { message: Schema.String } }),
  Rpc.make("wait", { payload: call }),
  Rpc.make("rest", { payload: { ...call, duration: Schema.DurationFromMillis } }),
  Rpc.make("count", { payload: { ...call, to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("countAndRefuse", {
    payload: { to: Schema.Int, refusal },
    success: Schema.Int,
    error: refusal,
    stream: true
  }),
  Rpc.make("remaining", { payload: call, success: Schema.Struct({ here: Remaining, there: Remaining }) }),
  Rpc.make("span", {
    success: Schema.Struct({
      here: SpanReport,
      there: SpanReport,
      between: Schema.Array(Schema.Struct({ spanId: Schema.String, parentId: Schema.String }))
    })
  }),
  Rpc.make("observe", { payload: call, success: Sighting })
]) {}
