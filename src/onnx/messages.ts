/**
 * What the two sides of a worker thread say to each other.
 *
 * A replica is strictly serial, so an answer needs no number: it belongs to the one request that is under way.
 */
import type { Arrays, Dtype } from "../Tensor.ts"

/** How a thread is started. */
export interface Start {
  readonly path: string
  readonly flags: Int32Array<SharedArrayBuffer>
  readonly options: object
}

/** A tensor on its way, by the name of its input or output. */
export type Named = readonly [name: string, dtype: Dtype, shape: ReadonlyArray<number>, data: Arrays[Dtype]]

/** `outputs` are the names of those that are wanted; without it, all of them. */
export type Request =
  | { readonly _tag: "Run"; readonly feeds: ReadonlyArray<Named>; readonly outputs: ReadonlyArray<string> | undefined }
  | { readonly _tag: "Close" }

/** An input or output as ONNX Runtime describes it; a `dtype` that no tensor holds is kept as it was named. */
export interface RawPort {
  readonly name: string
  readonly dtype: string
  readonly shape: ReadonlyArray<number | string>
}

export type Answer =
  | { readonly _tag: "Loaded"; readonly inputs: ReadonlyArray<RawPort>; readonly outputs: ReadonlyArray<RawPort> }
  | { readonly _tag: "NotLoadable"; readonly detail: string }
  | { readonly _tag: "Done"; readonly outputs: ReadonlyArray<Named> }
  | { readonly _tag: "Failed"; readonly detail: string }
