/** Whether a model elsewhere is the one that a contract describes. */
import { Schema } from "effect"
import * as Tensor from "../Tensor.ts"
import type { Bound } from "./binding.ts"
import { datatypes } from "./datatype.ts"
import { isRecord } from "./json.ts"
import type { TensorMetadata } from "./metadata.ts"
import type { Field } from "./model.ts"

/**
 * A model is not what the contract of a method says: `tensor` is the first that differs, in datatype, rank or size, or
 * that one of the two does not have.
 *
 * @category errors
 * @since 0.2.0
 */
export class ModelDiffers extends Schema.TaggedError<ModelDiffers>()("ModelDiffers", {
  service: Schema.String,
  method: Schema.String,
  model: Schema.String,
  tensor: Schema.String,
  /** What the contract says, such as `FP32[batch, 4]`; nothing where it has no such tensor. */
  expected: Schema.UndefinedOr(Schema.String),
  /** What the model says, such as `FP32[-1, 3]`; nothing where it has no such tensor. */
  actual: Schema.UndefinedOr(Schema.String)
}) {
  override get message(): string {
    const { actual = "no such tensor", expected = "no such tensor", method, model, service, tensor } = this
    return `${service}.${method} asks for ${expected} as ${tensor} of the model ${model}, which has ${actual}`
  }
}

/** The first tensor that differs. What the server says that is no metadata counts as no tensors. */
export const find = (service: string, bound: Bound, metadata: unknown): ModelDiffers | undefined => {
  const { inputs, outputs } = isRecord(metadata) ? metadata : {}
  const differs = compareWith(service, bound)
  return differs("input", bound.inputs, tensorsOf(inputs)) ?? differs("output", bound.outputs, tensorsOf(outputs))
}

const compareWith =
  (service: string, { method, model }: Bound) =>
  (kind: "input" | "output", fields: Bound["inputs"], tensors: ReadonlyMap<string, TensorMetadata>) => {
    const differs = (tensor: string, expected: string | undefined, actual: string | undefined) =>
      new ModelDiffers({ service, method: method.name, model, tensor: `${kind} ${tensor}`, expected, actual })
    const names = new Set<string>()
    for (const field of fields.values()) {
      names.add(field.name)
      const tensor = tensors.get(field.name)
      if (tensor === undefined ? !field.optional : !agrees(field, tensor)) {
        return differs(field.name, describe(field), tensor && Tensor.describe(tensor.datatype, tensor.shape))
      }
    }
    // What a model gives beyond the contract is not asked for, but what it takes must be sent.
    const other = kind === "input" ? Array.from(tensors.values()).find(({ name }) => !names.has(name)) : undefined
    return other && differs(other.name, undefined, Tensor.describe(other.datatype, other.shape))
  }

const describe = ({ dimensions, dtype }: Field) => Tensor.describe(datatypes[dtype], dimensions)

/** A size that one of the two leaves open is seen with each call. */
const agrees = ({ dimensions, dtype }: Field, { datatype, shape }: TensorMetadata): boolean =>
  datatype === datatypes[dtype] && shape.length === dimensions.length &&
  dimensions.every((dimension, axis) =>
    typeof dimension === "string" || shape[axis] === -1 || shape[axis] === dimension
  )

const tensorsOf = (tensors: unknown): ReadonlyMap<string, TensorMetadata> =>
  new Map(Array.isArray(tensors) ? tensors.filter(isTensor).map((tensor) => [tensor.name, tensor]) : [])

const isTensor = (u: unknown): u is TensorMetadata =>
  isRecord(u) && typeof u["name"] === "string" && typeof u["datatype"] === "string" && Array.isArray(u["shape"])
