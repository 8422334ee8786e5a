import { Tensor } from "chorale"
import type { Equal, Expect } from "./Equal.ts"

const points = Tensor.make("float32", [2, 3], new Float32Array(6))
const Images = Tensor.schema("float32", ["batch", 3, "side", "side"])

export type MakeKeepsDtypeAndRank = Expect<Equal<typeof points, Tensor.Tensor<"float32", 2>>>

export type DtypeFixesTheArray = Expect<Equal<typeof points.data, Float32Array>>

export type RankFixesTheShape = Expect<Equal<typeof points.shape, readonly [number, number]>>

export type AnUnknownRankHasAnyShape = Expect<Equal<Tensor.Tensor["shape"], ReadonlyArray<number>>>

export type DimensionsFixTheRank = Expect<Equal<typeof Images.Type, Tensor.Tensor<"float32", 4>>>
