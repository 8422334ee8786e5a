/** A method whose payload and result are tensors, as a model: its name, and its inputs and outputs. */
import { Context, type Schema, SchemaAST } from "effect"
import * as TensorField from "../http/tensorField.ts"
import type * as Model from "../Model.ts"
import * as Tensor from "../Tensor.ts"
import { notFound, type Refusal } from "./refusal.ts"

/** One tensor of a payload or a result. */
export interface Field extends TensorField.Description {
  readonly name: string
  /** Whether a call may lack it. */
  readonly optional: boolean
}

/** The tensors of a payload or a result, which is a struct of them or, where `whole` holds, a tensor itself. */
export interface Tensors {
  readonly fields: ReadonlyArray<Field>
  readonly whole: boolean
}

export type Named = ReadonlyMap<string, Tensor.Tensor>

/** What a method takes and gives. */
export interface Signature {
  readonly inputs: Tensors
  readonly outputs: Tensors
}

/** A method that is offered as a model. */
export interface Served extends Signature {
  readonly name: string
  readonly service: Model.Any
  readonly method: Model.Definition
}

/** The tensors of a method; nothing where there is something else in its payload or its result. */
export const signatureOf = ({ payload, stream, success }: Model.Definition): Signature | undefined => {
  if (stream) return undefined
  const inputs = tensorsOf(payload, "input")
  const outputs = tensorsOf(success, "output")
  return inputs && outputs && { inputs, outputs }
}

const tensorsOf = (schema: Schema.Top, wholeName: string): Tensors | undefined => {
  const ast = SchemaAST.toType(schema.ast)
  const whole = TensorField.describe(ast)
  if (whole !== undefined) return { fields: [{ ...whole, name: wholeName, optional: false }], whole: true }
  if (!SchemaAST.isObjects(ast) || ast.indexSignatures.length > 0) return undefined
  const fields = ast.propertySignatures.flatMap(({ name, type }): ReadonlyArray<Field> => {
    const description = TensorField.describe(type)
    return description === undefined || typeof name !== "string"
      ? []
      : [{ ...description, name, optional: SchemaAST.isOptional(type) }]
  })
  return fields.length > 0 && fields.length === ast.propertySignatures.length ? { fields, whole: false } : undefined
}

/** The payload or result with these tensors, by the names of its fields. */
export const toValue = ({ fields, whole }: Tensors, named: Named): unknown =>
  whole ? named.get(fields[0]?.name ?? "") : Object.fromEntries(named)

/** The tensors of a payload or result that fits, by the names of its fields. */
export const toNamed = ({ fields, whole }: Tensors, value: unknown): Named => {
  const named = new Map<string, Tensor.Tensor>()
  for (const { name } of fields) {
    // What fits is a tensor, or a struct of nothing else.
    const tensor = whole ? value : (value as Readonly<Record<string, unknown>>)[name]
    if (Tensor.isTensor(tensor)) named.set(name, tensor)
  }
  return named
}

/**
 * The methods that are models, by name: `<service>` where the service has one method, otherwise `<service>.<method>`,
 * the slashes of the service being dots. Throws where two have the same name.
 */
export const find = (services: ReadonlyArray<Model.Any>): ReadonlyMap<string, Served> => {
  const models = new Map<string, Served>()
  for (const service of services) {
    for (const method of service.methods.values()) {
      const signature = signatureOf(method)
      if (signature === undefined) continue
      const name = nameOf(service, method)
      const other = models.get(name)
      if (other !== undefined) {
        throw new TypeError(
          `${other.service.key}.${other.method.name} and ${service.key}.${method.name} are both ${name}`
        )
      }
      models.set(name, { ...signature, name, service, method })
    }
  }
  return models
}

/** The name of a method as a model; what no URL holds as it is becomes `_`. */
export const nameOf = (service: Model.Any, method: { readonly name: string }): string =>
  (service.methods.size === 1 ? service.key : `${service.key}.${method.name}`)
    .replaceAll("/", ".")
    .replaceAll(/[^\w.~-]/g, "_")

/** What there is to say where a model, or this version of it, is not served. */
export const unknown = (name: string, version: string | undefined, models: ReadonlyMap<string, Served>): Refusal => {
  const what = version === undefined || !models.has(name)
    ? `model ${cut(name)}`
    : `version ${cut(version)} of ${cut(name)}`
  const names = Array.from(models.keys())
  const offered = names.length > 20 ? [...names.slice(0, 20), "..."] : names
  return notFound(`there is no ${what}: this server has ${offered.join(", ") || "no models"}`)
}

const cut = (text: string): string => text.length <= 100 ? text : `${text.slice(0, 100)}...`

/** Methods are called through the client of their service, which is built once. */
export const clientOf = (context: Context.Context<never>, { service }: Served): Model.AnyClient =>
  // The layer that serves a model requires its service.
  Context.getUnsafe(context, service)
