/** What the servers that are compared offer: a trivial method, and one that takes its time. */
import { Model } from "chorale"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

export class Trivial extends Model.Service<Trivial>()("bench/Trivial", [
  Rpc.make("greet", { payload: { name: Schema.String }, success: Schema.Struct({ text: Schema.String }) }),
  Rpc.make("work", { payload: { millis: Schema.Int }, success: Schema.Struct({ text: Schema.String }) })
]) {}

/** A process that listens on a free port. */
export type RestServer = {
  readonly url: (payload: undefined) => Promise<string>
  /** The CPU time that it has used, in microseconds. */
  readonly cpu: (payload: undefined) => Promise<number>
}
