import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "chorale"
import { Effect, Schema } from "effect"

const Image = Tensor.schema("float32", [1, 3, "side", "side"])

const issueOf = (u: unknown) => Effect.map(Effect.flip(Schema.decodeUnknownEffect(Image)(u)), (error) => error.message)

describe("Tensor", () => {
  it("is refused when its elements do not follow from its shape", () => {
    assert.throws(() => Tensor.make("float32", [2, 2], new Float32Array(3)), "float32[2, 2] has 4 elements, not 3")
    assert.throws(() => Tensor.make("float32", [-1, -1], new Float32Array(1)), RangeError)
    assert.throws(() => Tensor.make("float32", [0.5, 2], new Float32Array(1)), RangeError)
  })

  it("of rank 0 is a scalar with one element", () => {
    assert.strictEqual(Tensor.zeros("int32", []).data.length, 1)
  })

  it.effect("passes through its schema as the same object", () =>
    Effect.gen(function*() {
      const image = Tensor.zeros("float32", [1, 3, 4, 4])
      assert.strictEqual(yield* Schema.decodeEffect(Image)(image), image)
    }))

  it.effect("with another dtype, rank or size is refused with what was expected and what came", () =>
    Effect.gen(function*() {
      const expected = "Expected float32[1, 3, side, side], got"
      assert.include(yield* issueOf(Tensor.zeros("float32", [1, 4, 2, 2])), `${expected} float32[1, 4, 2, 2]`)
      assert.include(yield* issueOf(Tensor.zeros("float32", [1, 3, 2])), `${expected} float32[1, 3, 2]`)
      assert.include(yield* issueOf(Tensor.zeros("int32", [1, 3, 2, 2])), `${expected} int32[1, 3, 2, 2]`)
      assert.include(yield* issueOf([1, 2, 3]), `${expected} a value that is not a tensor`)
    }))

  it.effect("has the same size wherever its schema has the same name", () =>
    Effect.gen(function*() {
      assert.include(yield* issueOf(Tensor.zeros("float32", [1, 3, 2, 4])), "got float32[1, 3, 2, 4]")
    }))

  it.effect("whose data was swapped for an array of another length is refused", () =>
    Effect.gen(function*() {
      const forged = { dtype: "float32", shape: [1, 3, 2, 2], data: new Float32Array(11) }
      assert.include(yield* issueOf(forged), "not a tensor")
    }))

  it.effect("keeps NaN, -0, infinities and 64-bit integers through JSON", () =>
    Effect.gen(function*() {
      const floats = Tensor.make("float64", [4], Float64Array.of(NaN, -0, Infinity, 5e-324))
      const integers = Tensor.make("int64", [2], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))
      const Pair = Schema.Struct({ floats: Tensor.schema("float64", ["n"]), integers: Tensor.schema("int64", ["m"]) })
      const codec = Schema.fromJsonString(Schema.toCodecJson(Pair))
      const text = yield* Schema.encodeEffect(codec)({ floats, integers })
      assert.deepStrictEqual(yield* Schema.decodeEffect(codec)(text), { floats, integers })
    }))

  it.effect("travels in JSON as base64 bytes, never as an array of numbers", () =>
    Effect.gen(function*() {
      const json = yield* Schema.encodeEffect(Schema.toCodecJson(Tensor.schema("float32", [1])))(
        Tensor.make("float32", [1], Float32Array.of(1))
      )
      assert.deepStrictEqual(json, { dtype: "float32", shape: [1], data: "AACAPw==" })
    }))

  it.effect("from the wire with a size that disagrees with its bytes is refused", () =>
    Effect.gen(function*() {
      const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(Tensor.schema("float32", ["n"])))
      for (const shape of [[2], [-1], [2 ** 52], [1, 1]]) {
        const error = yield* Effect.flip(decode({ dtype: "float32", shape, data: "AACAPw==" }))
        assert.include(error.message, "Expected float32[n]")
      }
      assert.include((yield* Effect.flip(decode({ dtype: "__proto__", shape: [1], data: "" }))).message, "__proto__")
    }))

  it("from unaligned bytes is a copy, and from aligned bytes a view", () => {
    const buffer = new Uint8Array(12)
    const view = Tensor.fromBytes("float32", [2], buffer.subarray(4, 12))
    const copy = Tensor.fromBytes("float32", [2], buffer.subarray(1, 9))
    assert.strictEqual(view?.data.buffer, buffer.buffer)
    assert.notStrictEqual(copy?.data.buffer, buffer.buffer)
    assert.strictEqual(Tensor.fromBytes("float32", [2], buffer), undefined)
  })

  it("gives and takes the bytes of every dtype", () => {
    for (const dtype of Tensor.dtypes) {
      const tensor = Tensor.zeros(dtype, [2, 3])
      Tensor.toBytes(tensor).forEach((_, index, bytes) => bytes[index] = index)
      assert.deepStrictEqual(Tensor.fromBytes(dtype, [2, 3], Tensor.toBytes(tensor).slice()), tensor)
      assert.strictEqual(Tensor.toBytes(tensor).length, 6 * Tensor.bytesPerElement(dtype))
    }
  })

  it("that is freed has no elements, unless its buffer holds more than it or is shared", () => {
    const whole = Tensor.zeros("float32", [4])
    const part = Tensor.make("float32", [2], new Float32Array(4).subarray(2))
    const shared = Tensor.make("uint8", [2], new Uint8Array(new SharedArrayBuffer(2)))
    for (const tensor of [whole, part, shared]) Tensor.free(tensor)
    assert.deepStrictEqual([whole.data.length, part.data.length, shared.data.length], [0, 2, 2])
    assert.isFalse(Tensor.isTensor(whole))
  })
})
