/** The element types of the Open Inference Protocol by their names, and ours. */
import type * as Tensor from "../Tensor.ts"
import { invalid, type Refusal } from "./refusal.ts"

/** The name that the protocol gives each element type. */
export const datatypes: Readonly<Record<Tensor.Dtype, string>> = {
  float32: "FP32",
  float64: "FP64",
  float16: "FP16",
  int8: "INT8",
  uint8: "UINT8",
  int16: "INT16",
  uint16: "UINT16",
  int32: "INT32",
  uint32: "UINT32",
  int64: "INT64",
  uint64: "UINT64",
  bool: "BOOL"
}

/** What is wrong with a tensor of an element type that is not the one which is asked for. */
export const differs = (what: string, dtype: Tensor.Dtype, datatype: string): Refusal =>
  invalid(`${what} has datatype ${datatypes[dtype]}, not ${datatype.slice(0, 40)}${reasons[datatype] ?? ""}`)

const reasons: Readonly<Record<string, string>> = {
  BYTES: ": tensors of strings are not supported",
  BF16: ": send it as FP32"
}
