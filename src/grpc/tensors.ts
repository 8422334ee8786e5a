/** The tensors of a message: raw, or in the field of their type. */
import { datatypes } from "../openInference/datatype.ts"
import type { Field, Named } from "../openInference/model.ts"
import { invalid } from "../openInference/refusal.ts"
import * as Tensors from "../openInference/tensors.ts"
import * as Tensor from "../Tensor.ts"
import type { Contents, TensorMessage } from "./inferMessage.ts"
import type { ContentsToSend, TensorToSend } from "./protocol.ts"

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
    const shape = Tensors.checkTensor(what, field, entry.datatype, entry.shape)
    const bytes = raw[index]
    if (bytes === undefined) {
      named.set(name, fromContents(what, field.dtype, shape, entry.contents))
    } else {
      if (entry.contents !== undefined) throw invalid(`${what} has both contents and raw contents`)
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
  contents: Contents | undefined
): Tensor.Tensor => {
  if (dtype === "float16") throw invalid(`${what} is FP16, which has no contents of its type: send it as raw contents`)
  const { [kinds[dtype]]: data = nothing } = contents ?? {}
  const size = Tensor.size(shape)
  if (data.length !== size) throw invalid(`${what} has ${data.length} elements, where its shape asks for ${size}`)
  const tensor: Tensor.Tensor = Tensor.zeros(dtype, shape)
  if (kinds[dtype] !== dtype) return narrow(what, tensor, data)
  // Both are arrays of the dtype.
  tensor.data.set(data as never)
  return tensor
}

/** Puts elements into a tensor of fewer bits, each of which must be a number that it has. */
const narrow = (what: string, tensor: Tensor.Tensor, data: NonNullable<Contents[keyof Contents]>): Tensor.Tensor => {
  for (let index = 0; index < data.length; index++) {
    // What does not fit is another number afterwards.
    tensor.data[index] = data[index] as never
    if (tensor.data[index] !== data[index]) {
      throw invalid(`${what}: element ${index} is ${data[index]}, which is no ${tensor.dtype}`)
    }
  }
  return tensor
}

const nothing = new Uint8Array(0)

/** In the field of which type the elements of a dtype arrive. */
const kinds: Readonly<Record<Exclude<Tensor.Dtype, "float16">, keyof Contents>> = {
  float32: "float32",
  float64: "float64",
  int8: "int32",
  uint8: "uint32",
  int16: "int32",
  uint16: "uint32",
  int32: "int32",
  uint32: "uint32",
  int64: "int64",
  uint64: "uint64",
  bool: "bool"
}

/** In which field they are sent. */
const fields: Readonly<Record<keyof Contents, keyof ContentsToSend>> = {
  bool: "bool_contents",
  int32: "int_contents",
  int64: "int64_contents",
  uint32: "uint_contents",
  uint64: "uint64_contents",
  float32: "fp32_contents",
  float64: "fp64_contents"
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
  const field = dtype === "float16" ? undefined : fields[kinds[dtype]]
  return { name, datatype: datatypes[dtype], shape, ...field === undefined ? {} : { contents: { [field]: contents } } }
}
