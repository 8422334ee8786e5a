import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "chorale"
import { Onnx } from "chorale/onnx"
import { Cause, Effect, Exit, Fiber } from "effect"
import { pathToFileURL } from "node:url"
import * as Models from "../fixtures/onnx.ts"

const open = Effect.fnUntraced(function*(model: Uint8Array, options?: Onnx.Options) {
  const path = yield* Models.file(model)
  return { path, session: yield* Onnx.session(path, options) }
})

const ones = (...shape: ReadonlyArray<number>) =>
  Tensor.make("float32", shape, new Float32Array(Tensor.size(shape)).fill(1))

const badFeeds = (model: Uint8Array, feeds: Onnx.Tensors) =>
  Effect.gen(function*() {
    const { path, session } = yield* open(model)
    const error = yield* Effect.flip(session.run(feeds))
    assert.instanceOf(error, Onnx.BadFeeds)
    assert.strictEqual(error.path, path)
    for (const part of [path, error.input, error.expected, error.actual]) assert.include(error.message, part)
    return { input: error.input, expected: error.expected, actual: error.actual }
  })

const defect = <A, E>(exit: Exit.Exit<A, E>): string => {
  assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.every(Cause.isDieReason))
  return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
}

describe("feeds", () => {
  it.live("a missing input is refused by name", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* badFeeds(Models.arithmetic(), { a: ones(1, 3) }), {
        input: "b",
        expected: "float32[n, 3]",
        actual: "nothing"
      })
    }))

  it.live("an input that the model does not have is refused, with the names of those it has", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* badFeeds(Models.arithmetic(), { a: ones(1, 3), b: ones(1, 3), c: ones(1, 3) }),
        { input: "c", expected: "one of the inputs \"a\", \"b\"", actual: "\"c\"" }
      )
    }))

  it.live("another dtype is refused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* badFeeds(Models.arithmetic(), { a: ones(1, 3), b: Tensor.zeros("float64", [1, 3]) }),
        { input: "b", expected: "float32[n, 3]", actual: "float64[1, 3]" }
      )
    }))

  it.live("another rank is refused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* badFeeds(Models.arithmetic(), { a: ones(3), b: ones(1, 3) }),
        { input: "a", expected: "float32[n, 3]", actual: "float32[3]" }
      )
    }))

  it.live("another size of a fixed dimension is refused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* badFeeds(Models.arithmetic(), { a: ones(1, 4), b: ones(1, 4) }),
        { input: "a", expected: "float32[n, 3]", actual: "float32[1, 4]" }
      )
    }))

  it.live("two sizes of the same named dimension are refused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* badFeeds(Models.arithmetic(), { a: ones(1, 3), b: ones(2, 3) }),
        { input: "b", expected: "float32[n, 3] where n = 1 as in input \"a\"", actual: "float32[2, 3]" }
      )
    }))

  it.live("dimensions without a name may have different sizes", () =>
    Effect.gen(function*() {
      for (const anonymous of ["?", ""]) {
        const { session } = yield* open(Models.identity("float32", [anonymous, anonymous]))
        const { y } = yield* session.run({ x: ones(2, 5) })
        assert.deepStrictEqual(y?.shape, [2, 5])
        assert.deepStrictEqual(session.inputs, [{ name: "x", dtype: "float32", shape: ["x.0", "x.1"] }])
      }
    }))

  it.live("elements that do not follow from the shape are refused", () =>
    Effect.gen(function*() {
      const tensor: Tensor.Tensor = { dtype: "float32", shape: [1, 3], data: new Float32Array(4) }
      assert.deepStrictEqual(yield* badFeeds(Models.arithmetic(), { a: ones(1, 3), b: tensor }), {
        input: "b",
        expected: "float32[n, 3]",
        actual: "float32[1, 3] with 4 elements in a Float32Array"
      })
    }))

  it.live("elements in an array of another kind are refused", () =>
    Effect.gen(function*() {
      const tensor: Tensor.Tensor = { dtype: "float32", shape: [1, 3], data: new Float64Array(3) }
      assert.deepStrictEqual(yield* badFeeds(Models.arithmetic(), { a: ones(1, 3), b: tensor }), {
        input: "b",
        expected: "float32[n, 3]",
        actual: "float32[1, 3] with 3 elements in a Float64Array"
      })
    }))

  it.live("a session whose feeds were refused runs the next call", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.arithmetic())
      yield* Effect.flip(session.run({}))
      const { sum } = yield* session.run({ a: ones(1, 3), b: ones(1, 3) })
      assert.deepStrictEqual(sum, Tensor.make("float32", [1, 3], Float32Array.of(2, 2, 2)))
    }))

  it.live("a model that fails on feeds that fit is RunFailed with what the runtime said, and the replica lives on", () =>
    Effect.gen(function*() {
      const { path, session } = yield* open(Models.lookup())
      const row = (index: bigint) => ({ row: Tensor.make("int64", [1], BigInt64Array.of(index)) })
      const error = yield* Effect.flip(session.run(row(7n)))
      assert.instanceOf(error, Onnx.RunFailed)
      assert.strictEqual(error.path, path)
      assert.include(error.detail, "out of data bounds")
      assert.deepStrictEqual(yield* session.run(row(1n)), {
        y: Tensor.make("float32", [1, 3], Float32Array.of(4, 5, 6))
      })
    }))
})

describe("tensors", () => {
  const tensors: ReadonlyArray<Tensor.Tensor> = [
    Tensor.make("float32", [2], Float32Array.of(Number.NaN, -0)),
    Tensor.make("float64", [2], Float64Array.of(Infinity, 1e-300)),
    Tensor.make("float16", [2], Uint16Array.of(0x3c00, 0xfc00)),
    Tensor.make("int8", [2], Int8Array.of(-128, 127)),
    Tensor.make("uint8", [2], Uint8Array.of(0, 255)),
    Tensor.make("int16", [2], Int16Array.of(-32768, 1)),
    Tensor.make("uint16", [2], Uint16Array.of(65535, 1)),
    Tensor.make("int32", [2], Int32Array.of(-2147483648, 1)),
    Tensor.make("uint32", [2], Uint32Array.of(4294967295, 1)),
    Tensor.make("int64", [2], BigInt64Array.of(-9223372036854775808n, 1n)),
    Tensor.make("uint64", [2], BigUint64Array.of(18446744073709551615n, 1n)),
    Tensor.make("bool", [2], Uint8Array.of(1, 0))
  ]

  it.live.each(tensors)("of $dtype pass a model unchanged", (x) =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.identity(x.dtype, ["n"]))
      assert.deepStrictEqual(yield* session.run({ x }), { y: x })
    }))

  it.live("of any rank pass, scalars and empty ones too", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.identity())
      for (const shape of [[], [0], [0, 4], [1, 2, 3, 4, 5]]) {
        assert.deepStrictEqual(yield* session.run({ x: ones(...shape) }), { y: ones(...shape) })
      }
    }))

  it.live("of growing and shrinking sizes share the memory of a replica without mixing", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.arithmetic(["n"]))
      for (const size of [3, 100_000, 5, 300_001, 1]) {
        const a = Tensor.make("float32", [size], Float32Array.from({ length: size }, (_, index) => index))
        const { product, sum } = yield* session.run({ a, b: ones(size) })
        assert.deepStrictEqual(product, a)
        assert.strictEqual(sum?.data[size - 1], size)
      }
    }))

  it.live("of a caller are never detached and never written, and may be in several calls at once", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.identity(), { replicas: 2 })
      const x = ones(1000)
      const results = yield* Effect.all([session.run({ x }), session.run({ x }), session.run({ x })], {
        concurrency: "unbounded"
      })
      for (const { y } of results) {
        assert.deepStrictEqual(y, ones(1000))
        y?.data.fill(0 as never)
      }
      assert.deepStrictEqual(x, ones(1000))
    }))

  it.live("may be changed as soon as the call has a replica", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.identity())
      const x = ones(1000)
      const running = yield* Effect.forkChild(session.run({ x }), { startImmediately: true })
      x.data.fill(2)
      assert.deepStrictEqual(yield* Fiber.join(running), { y: ones(1000) })
    }))

  it.live("in shared memory and in a part of a buffer are read right", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.arithmetic(["n"]))
      const a = Tensor.make("float32", [3], new Float32Array(new SharedArrayBuffer(64), 8, 3).fill(3))
      const b = Tensor.make("float32", [3], Float32Array.of(9, 9, 1, 2, 3, 9).subarray(2, 5))
      const { sum } = yield* session.run({ a, b })
      assert.deepStrictEqual(sum, Tensor.make("float32", [3], Float32Array.of(4, 5, 6)))
    }))

  it.live("of bytes in a Buffer are read right", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.identity("uint8", ["n"]))
      const x = Tensor.make("uint8", [3], Buffer.from([1, 2, 3]))
      assert.deepStrictEqual(yield* session.run({ x }), { y: Tensor.make("uint8", [3], Uint8Array.of(1, 2, 3)) })
    }))
})

describe("output schemas", () => {
  const feeds = { a: ones(2, 3), b: ones(2, 3) }

  it.live("give each output its static type, and only those that are asked for", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.arithmetic())
      const results = yield* session.run(feeds, { sum: Tensor.schema("float32", ["n", 3]) })
      const data: Float32Array = results.sum.data
      const [rows, columns]: readonly [number, number] = results.sum.shape
      assert.deepStrictEqual([...data], [2, 2, 2, 2, 2, 2])
      assert.deepStrictEqual([rows, columns], [2, 3])
      assert.deepStrictEqual(Object.keys(results), ["sum"])
    }))

  it.live("that the model contradicts are a defect that names the output", () =>
    Effect.gen(function*() {
      const { path, session } = yield* open(Models.arithmetic())
      const run = (schemas: Onnx.OutputSchemas) => Effect.map(Effect.exit(session.run(feeds, schemas)), defect)
      assert.include(
        yield* run({ sum: Tensor.schema("int64", ["n", 3]) }),
        `Output "sum" of ${path}: the schema says int64[n, 3], the model gives float32[n, 3]`
      )
      assert.include(
        yield* run({ sum: Tensor.schema("float32", ["n"]) }),
        "the schema says float32[n], the model gives float32[n, 3]"
      )
      assert.include(
        yield* run({ sum: Tensor.schema("float32", [7, 3]) }),
        "the schema says float32[7, 3], the model gives float32[2, 3]"
      )
      assert.include(
        yield* run({ total: Tensor.schema("float32", [2, 3]) }),
        `${path} has no output "total"; its outputs are "sum", "product"`
      )
      assert.deepStrictEqual(Object.keys(yield* session.run(feeds)), ["sum", "product"])
    }))

  it.live("are checked against the result where the model does not tell the rank", () =>
    Effect.gen(function*() {
      const { session } = yield* open(Models.identity())
      const exit = yield* Effect.exit(session.run({ x: ones(2, 2) }, { y: Tensor.schema("float32", ["n"]) }))
      assert.include(defect(exit), "the schema says float32[n], the model gives float32[2, 2]")
    }))
})

describe("a session", () => {
  it.live("tells the inputs and outputs of its model, and takes a URL", () =>
    Effect.gen(function*() {
      const path = yield* Models.file(Models.lookup())
      const session = yield* Onnx.session(pathToFileURL(path))
      assert.deepStrictEqual(session.inputs, [{ name: "row", dtype: "int64", shape: [1] }])
      assert.deepStrictEqual(session.outputs, [{ name: "y", dtype: "float32", shape: [1, 3] }])
      assert.strictEqual(session.replicas, 1)
    }))
})
