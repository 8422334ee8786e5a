/** What is sent to see whether it comes back. */
import { Duration, Option } from "effect"
import * as Tensor from "../../Tensor.ts"
import type { EveryDtype, EveryRank, EveryValue } from "../Probe.ts"

/** A tensor of every dtype, with what each holds at its ends that JSON has too. */
export const everyDtype = (): typeof EveryDtype.Type => ({
  float32: Tensor.make("float32", [2, 3], Float32Array.of(0.1, -1.5, 1e-45, 3.4e38, 0, 7)),
  float64: Tensor.make("float64", [2, 3], Float64Array.of(0.1, -1.5, 5e-324, 1.7e308, 0, 7)),
  float16: Tensor.make("float16", [2, 3], Uint16Array.of(0x3c00, 0xbe00, 1, 0x7bff, 0, 0x2e66)),
  int8: Tensor.make("int8", [2, 3], Int8Array.of(-128, 127, 0, 1, -1, 7)),
  uint8: Tensor.make("uint8", [2, 3], Uint8Array.of(0, 255, 1, 2, 3, 4)),
  int16: Tensor.make("int16", [2, 3], Int16Array.of(-32768, 32767, 0, 1, -1, 7)),
  uint16: Tensor.make("uint16", [2, 3], Uint16Array.of(0, 65535, 1, 2, 3, 4)),
  int32: Tensor.make("int32", [2, 3], Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1, -1, 7)),
  uint32: Tensor.make("uint32", [2, 3], Uint32Array.of(0, 2 ** 32 - 1, 1, 2, 3, 4)),
  int64: Tensor.make("int64", [2, 3], BigInt64Array.of(-(2n ** 53n) + 1n, 2n ** 53n - 1n, 0n, 1n, -1n, 7n)),
  uint64: Tensor.make("uint64", [2, 3], BigUint64Array.of(0n, 2n ** 53n - 1n, 1n, 2n, 3n, 4n)),
  bool: Tensor.make("bool", [2, 3], Uint8Array.of(0, 1, 1, 0, 1, 0))
})

/** The same, with what a number has no digits for, and with the largest integers. */
export const extremes = (): typeof EveryDtype.Type => ({
  ...everyDtype(),
  float32: Tensor.make("float32", [2, 3], Float32Array.of(NaN, -0, Infinity, -Infinity, 1e-45, 0.1)),
  float64: Tensor.make("float64", [2, 3], Float64Array.of(NaN, -0, Infinity, -Infinity, 5e-324, 0.1)),
  float16: Tensor.make("float16", [2, 3], Uint16Array.of(0x7e00, 0x8000, 0x7c00, 0xfc00, 1, 0x3c00)),
  int64: Tensor.make("int64", [2, 3], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n, -1n, 2n ** 53n + 1n)),
  uint64: Tensor.make("uint64", [2, 3], BigUint64Array.of(0n, 2n ** 64n - 1n, 1n, 2n, 3n, 2n ** 53n + 1n))
})

/** A tensor of every rank, most sizes of which are `n`. */
export const everyRank = (n: number): typeof EveryRank.Type => ({
  scalar: Tensor.make("float64", [], Float64Array.of(n)),
  vector: Tensor.make("float32", [n], Float32Array.from({ length: n }, (_, index) => index / 3)),
  matrix: Tensor.make("int64", [n, 3], BigInt64Array.from({ length: 3 * n }, (_, index) => BigInt(index))),
  cube: Tensor.make("uint8", [2, n, 1], Uint8Array.from({ length: 2 * n }, (_, index) => index))
})

/** Values of every kind. */
export const values: typeof EveryValue.Type = {
  numbers: [0, -1, 0.1, Number.MAX_SAFE_INTEGER, 5e-324, 1.7976931348623157e308],
  integers: [0n, -1n, 2n ** 64n, -(2n ** 200n)],
  bytes: [new Uint8Array(0), Uint8Array.of(0, 255), Uint8Array.from({ length: 1000 }, (_, index) => index % 256)],
  dates: [new Date(0), new Date(1_234_567_890_123), new Date(-1), new Date(8.64e15)],
  durations: [Duration.zero, Duration.millis(1500), Duration.nanos(1n), Duration.infinity],
  text: ["", "\u0000", "\u{1f600} \u2028", "\"\\\n", "__proto__"],
  flag: false,
  nothing: null,
  present: Option.some(0.5),
  absent: Option.none(),
  union: ["", true, { nested: [] }, { nested: [1, 2] }]
}

/** The same, with numbers that have no digits. */
export const extremeValues: typeof EveryValue.Type = {
  ...values,
  numbers: [NaN, -0, 0, Infinity, -Infinity],
  present: Option.some(-0)
}
