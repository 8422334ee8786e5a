/** What the classifiers of digits can do, and what the ensemble of them can do. */
import { Model, Tensor } from "chorale"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

/** The brightness of 8 by 8 pixels, around 0 for paper and around 1 for ink. */
export const Picture = Tensor.schema("float32", [8, 8])
export type Picture = typeof Picture.Type

const classify = Rpc.make("classify", { payload: { picture: Picture }, success: Schema.Int })

/** A neural network with one hidden layer, which runs in ONNX Runtime. */
export class Network extends Model.Service<Network>()("ensemble/Network", [classify]) {}

/** The most frequent digit among the most similar pictures that are known. */
export class Neighbours extends Model.Service<Neighbours>()("ensemble/Neighbours", [classify]) {}

/** Gaussian naive Bayes: every pixel is evidence of its own. */
export class Bayes extends Model.Service<Bayes>()("ensemble/Bayes", [classify]) {}

/** What the classifiers together say, and how much of them says so. */
export const Reading = Schema.Struct({ digit: Schema.Int, support: Schema.Finite })

/** Reads digits by a vote of the classifiers: one each, or weighted by how well each has done. */
export class Digits extends Model.Service<Digits>()("ensemble/Digits", [
  Rpc.make("majority", { payload: { picture: Picture }, success: Reading }),
  Rpc.make("weighted", { payload: { picture: Picture }, success: Reading })
]) {}
