/** The tensors of a message: raw, or in the field of their type. */
import { datatypes } from "../openInference/datatype.ts"
import * as Elements from "../openInference/elements.ts"
import type { Field, Named } from "../openInference/model.ts"
import { invalid } from "../openInference/refusal.ts"
import * as Tensors from "../openInference/tensors.ts"
import * as Tensor from "../Tensor.ts"
import type { Contents, TensorMessage, TensorToSend } from "./protocol.ts"

/** What is to be read. */
export interface Source {
  readonly kind: "input" | "output"
  readonly entries: ReadonlyArray<TensorMessage>
  /** The elements of each tensor, in order, or of none of them. */
  readonly raw: ReadonlyArray<Uint8Array>
  readonly expected: ReadonlyMap<string, Field>
  /** Whether tensors that nobody expects are passed over. */
  readonly lenient: boolean
}

/** The tensors by name. Throws Refusal. Raw ones are views of the message where their place in it allows. */
export const read = ({ entries, expected, kind, lenient, raw }: Source): Named => {
  const isRaw = raw.length > 0
  if (isRaw && raw.length !== entries.length) {
    throw invalid(`there are ${entries.length} ${kind}s, but raw contents of ${raw.length}`)
  }
  const named = new Map<string, Tensor.Tensor>()
  entries.forEach((entry, index) => {
    const name = entry.name.slice(0, 100)
    const what = `${kind} ${name}`
    const field = expected.get(name)
    if (field === undefined) {
      if (lenient) return
      throw invalid(`there is no ${what}: the model has ${Array.from(expected.keys()).join(", ")}`)
    }
    if (named.has(name)) throw invalid(`${what} is there twice`)
    const shape = Tensors.checkTensor(what, field, entry.datatype, entry.shape.map(Number))
    const bytes = raw[index]
    if (bytes === undefined) {
      named.set(name, fromContents(what, field.dtype, shape, entry.contents ?? {}))
    } else {
      if (entry.contents !== null) throw invalid(`${what} has both contents and raw contents`)
      named.set(name, Tensors.fromBytes(what, field.dtype, shape, bytes))
    }
  })
  Tensors.checkComplete(kind, expected, named)
  return named
}

const fromContents = (
  what: string,
  dtype: Tensor.Dtype,
  shape: ReadonlyArray<number>,
  contents: Partial<Contents>
): Tensor.Tensor => {
  if (dtype === "float16") throw invalid(`${what} is FP16, which has no contents of its type: send it as raw contents`)
  const data = contents[fields[dtype]] ?? []
  const size = Tensor.size(shape)
  if (data.length !== size) throw invalid(`${what} has ${data.length} elements, where its shape asks for ${size}`)
  switch (dtype) {
    // Unlike in JSON, these may be NaN and infinite.
    case "float32":
      return Tensor.make(dtype, shape, Float32Array.from(contents.fp32_contents ?? []))
    case "float64":
      return Tensor.make(dtype, shape, Float64Array.from(contents.fp64_contents ?? []))
    case "int64":
      return Tensor.make(dtype, shape, BigInt64Array.from(contents.int64_contents ?? [], BigInt))
    case "uint64":
      return Tensor.make(dtype, shape, BigUint64Array.from(contents.uint64_contents ?? [], BigInt))
    default:
      return Elements.read(what, dtype, shape, data)
  }
}

const fields: Readonly<Record<Exclude<Tensor.Dtype, "float16">, keyof Contents>> = {
  float32: "fp32_contents",
  float64: "fp64_contents",
  int8: "int_contents",
  uint8: "uint_contents",
  int16: "int_contents",
  uint16: "uint_contents",
  int32: "int_contents",
  uint32: "uint_contents",
  int64: "int64_contents",
  uint64: "uint64_contents",
  bool: "bool_contents"
}

/** Tensors as they are sent, all of them raw or none. */
export interface ToSend {
  readonly entries: ReadonlyArray<TensorToSend>
  readonly raw: ReadonlyArray<Uint8Array>
}

/** FP16 has no other form than the raw one, and the forms are never mixed. */
export const write = (named: ReadonlyArray<readonly [name: string, tensor: Tensor.Tensor]>, raw: boolean): ToSend => {
  const heads = named.map(([name, { dtype, shape }]) => ({ name, datatype: datatypes[dtype], shape }))
  return raw || named.some(([, { dtype }]) => dtype === "float16")
    ? { entries: heads, raw: named.map(([, tensor]) => Tensor.toBytes(tensor)) }
    : { entries: named.map(([name, tensor]) => withContents(name, tensor)), raw: [] }
}

const withContents = (name: string, { data, dtype, shape }: Tensor.Tensor): TensorToSend => {
  const elements: Iterable<number | bigint> = data
  const isText = dtype === "int64" || dtype === "uint64"
  const contents = Array.from(
    elements,
    (element) => dtype === "bool" ? Number(element) !== 0 : isText ? String(element) : element
  )
  const field = dtype === "float16" ? undefined : fields[dtype]
  return { name, datatype: datatypes[dtype], shape, ...field === undefined ? {} : { contents: { [field]: contents } } }
}
