/** What the servers that are compared answer. */
import { Model, Tensor } from "chorale"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

/** Six fields: about 100 bytes of JSON. */
export const Record = {
  id: Schema.String,
  label: Schema.String,
  width: Schema.Int,
  height: Schema.Int,
  score: Schema.Finite,
  upright: Schema.Boolean
}

const Vector = Tensor.schema("float32", ["n"])

/** Answers what it is given. */
export class Echo extends Model.Service<Echo>()("bench/RemoteEcho", [
  Rpc.make("json", { payload: Record, success: Schema.Struct(Record) }),
  Rpc.make("tensor", { payload: { tensor: Vector }, success: Vector })
]) {}

/** A process that listens on a free port. */
export type Server = {
  readonly url: (payload: undefined) => Promise<string>
}
