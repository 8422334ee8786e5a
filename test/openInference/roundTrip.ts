/** Tensors of every dtype with what each holds at its ends, and whether they came back as they were. */
import { assert } from "@effect/vitest"
import { Tensor } from "chorale"

export const every = {
  float32: Tensor.make("float32", [2, 2], Float32Array.of(NaN, -0, Infinity, 3.4028234663852886e38)),
  float64: Tensor.make("float64", [2, 2], Float64Array.of(NaN, -0, -Infinity, Number.MIN_VALUE)),
  float16: Tensor.make("float16", [2, 2], Uint16Array.of(0x3c00, 0x8000, 0x7c00, 0x7e00)),
  int8: Tensor.make("int8", [2, 2], Int8Array.of(-128, 127, 0, -1)),
  uint8: Tensor.make("uint8", [2, 2], Uint8Array.of(0, 255, 1, 2)),
  int16: Tensor.make("int16", [2, 2], Int16Array.of(-32768, 32767, 0, 1)),
  uint16: Tensor.make("uint16", [2, 2], Uint16Array.of(0, 65535, 1, 2)),
  int32: Tensor.make("int32", [2, 2], Int32Array.of(-2147483648, 2147483647, 0, 1)),
  uint32: Tensor.make("uint32", [2, 2], Uint32Array.of(0, 4294967295, 1, 2)),
  int64: Tensor.make("int64", [2, 2], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, 0n)),
  uint64: Tensor.make("uint64", [2, 2], BigUint64Array.of(0n, 2n ** 64n - 1n, 2n ** 53n + 1n, 1n)),
  bool: Tensor.make("bool", [2, 2], Uint8Array.of(0, 1, 1, 0))
}

/** The same without what JSON cannot carry. */
export const finite = {
  float32: Tensor.make("float32", [2, 2], Float32Array.of(1.5, -0, 1e-45, 3.4028234663852886e38)),
  bool: every.bool
}

/** Those of no elements. */
export const empty = {
  float32: Tensor.zeros("float32", [0, 2]),
  float64: Tensor.zeros("float64", [0, 2]),
  float16: Tensor.zeros("float16", [0, 2]),
  int8: Tensor.zeros("int8", [0, 2]),
  uint8: Tensor.zeros("uint8", [0, 2]),
  int16: Tensor.zeros("int16", [0, 2]),
  uint16: Tensor.zeros("uint16", [0, 2]),
  int32: Tensor.zeros("int32", [0, 2]),
  uint32: Tensor.zeros("uint32", [0, 2]),
  int64: Tensor.zeros("int64", [0, 2]),
  uint64: Tensor.zeros("uint64", [0, 2]),
  bool: Tensor.zeros("bool", [0, 2])
}

/** Compares bytes, so that no NaN and no zero is taken for another. */
export const same = (actual: object, expected: object): void => {
  assert.deepStrictEqual(Object.keys(actual).toSorted(), Object.keys(expected).toSorted())
  for (const [name, tensor] of Object.entries(expected)) {
    const got: Tensor.Tensor = Object.entries(actual).find(([other]) => other === name)?.[1]
    assert.deepStrictEqual([got.dtype, got.shape], [tensor.dtype, tensor.shape])
    assert.isTrue(Buffer.from(Tensor.toBytes(got)).equals(Tensor.toBytes(tensor)), name)
  }
}
