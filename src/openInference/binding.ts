/** Which model elsewhere stands for a method, and which of its tensors for which field. */
import type { Rpc } from "effect/rpc"
import type * as Contract from "../Model.ts"
import type * as Tensor from "../Tensor.ts"
import * as Model from "./model.ts"

/**
 * The model that answers a method, and the names of its tensors where they are not those of the fields.
 *
 * @category models
 * @since 0.2.0
 */
export interface Binding<Inputs, Outputs> {
  /** The name of the model: the one that `http` gives the method. */
  readonly model?: string | undefined
  /** The version of the model: the one that the server chooses. */
  readonly version?: string | undefined
  /** The tensor of each field of the payload; of a payload that is a tensor itself, that of `input`. */
  readonly inputs?: TensorNames<Inputs, "input"> | undefined
  /** The tensor of each field of the result; of a result that is a tensor itself, that of `output`. */
  readonly outputs?: TensorNames<Outputs, "output"> | undefined
}

/**
 * The names of tensors, by field.
 *
 * @category utility types
 * @since 0.2.0
 */
export type TensorNames<Value, Whole extends string> = {
  readonly [Field in Value extends Tensor.Tensor ? Whole : keyof Value]?: string | undefined
}

/**
 * The models of the methods of a service, by method.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Bindings<Rpcs extends Rpc.Any> = {
  readonly [R in Rpcs as R["_tag"]]?: Binding<Rpc.Payload<R>, Rpc.Success<R>> | undefined
}

/** A binding whose names are known, with the fields under the names that their tensors have elsewhere. */
export interface Bound {
  readonly method: Contract.Definition
  readonly model: string
  readonly version: string | undefined
  readonly signature: Model.Signature
  /** By the name of the field. */
  readonly inputs: ReadonlyMap<string, Model.Field>
  /** By the name of the field. */
  readonly outputs: ReadonlyMap<string, Model.Field>
}

/** A binding of any method. */
export type AnyBinding = Binding<Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>>

/** Throws where the method takes or gives something else than tensors: no model can stand for it. */
export const bind = (
  service: Contract.Any,
  method: Contract.Definition,
  { inputs, model, outputs, version }: AnyBinding = {}
): Bound => {
  const signature = Model.signatureOf(method)
  if (signature === undefined) {
    throw new TypeError(`${service.key}.${method.name} takes or gives something else than tensors, as no model does`)
  }
  return {
    method,
    model: model ?? Model.nameOf(service, method),
    version,
    signature,
    inputs: rename(signature.inputs, inputs),
    outputs: rename(signature.outputs, outputs)
  }
}

const rename = ({ fields }: Model.Tensors, names: Readonly<Record<string, string | undefined>> = {}) =>
  new Map(fields.map((field) => [field.name, { ...field, name: names[field.name] ?? field.name }]))
