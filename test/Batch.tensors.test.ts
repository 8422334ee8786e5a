import { assert, describe, it } from "@effect/vitest"
import { Batch, Deadline, Tensor } from "chorale"
import { Cause, Effect, Exit, Fiber } from "effect"
import { turns } from "./fixtures/batch.ts"

const floats = (shape: ReadonlyArray<number>, from = 0) =>
  Tensor.make("float32", shape, Float32Array.from({ length: Tensor.size(shape) }, (_, index) => from + index))

const values = (tensor: Tensor.Tensor) => [...tensor.data]

describe("Batch.stack", () => {
  it.effect("joins tensors along their first axis, and unstack takes them apart", () =>
    Effect.gen(function*() {
      const parts = [floats([1, 2, 2]), floats([3, 2, 2], 10), floats([0, 2, 2]), floats([2, 2, 2], 50)]
      const { shapes, sizes, tensor } = yield* Batch.stack(parts)
      assert.deepStrictEqual(tensor.shape, [6, 2, 2])
      assert.deepStrictEqual(values(tensor), parts.flatMap(values))
      assert.deepStrictEqual(sizes, [1, 3, 0, 2])
      assert.deepStrictEqual(shapes, parts.map(({ shape }) => shape))
      assert.deepStrictEqual(Batch.unstack(tensor, sizes), parts)
    }))

  it.effect("joins them along another axis, and unstack takes them apart", () =>
    Effect.gen(function*() {
      const parts = [floats([2, 1, 2]), floats([2, 3, 2], 10)]
      const { sizes, tensor } = yield* Batch.stack(parts, { axis: 1 })
      assert.deepStrictEqual(tensor.shape, [2, 4, 2])
      assert.deepStrictEqual(values(tensor), [0, 1, 10, 11, 12, 13, 14, 15, 2, 3, 16, 17, 18, 19, 20, 21])
      assert.deepStrictEqual(Batch.unstack(tensor, sizes, { axis: 1 }), parts)
    }))

  it.effect("fills up what is shorter, and says in the mask what is filling", () =>
    Effect.gen(function*() {
      const short = Tensor.make("int64", [1, 2], BigInt64Array.of(1n, 2n))
      const long = Tensor.make("int64", [2, 3], BigInt64Array.of(3n, 4n, 5n, 6n, 7n, 8n))
      const { mask, shapes, sizes, tensor } = yield* Batch.stack([short, long], { pad: -1n, mask: "int64" })
      assert.deepStrictEqual(
        tensor,
        Tensor.make("int64", [3, 3], BigInt64Array.of(1n, 2n, -1n, 3n, 4n, 5n, 6n, 7n, 8n))
      )
      assert.deepStrictEqual(mask, Tensor.make("int64", [3, 3], BigInt64Array.of(1n, 1n, 0n, 1n, 1n, 1n, 1n, 1n, 1n)))
      const lengths = shapes.map((shape) => shape[1])
      assert.deepStrictEqual(Batch.unstack(tensor, sizes, { trim: { axis: 1, lengths } }), [short, long])
    }))

  it.effect("fills up several axes at once", () =>
    Effect.gen(function*() {
      const { mask, tensor } = yield* Batch.stack([floats([1, 1, 2], 1), floats([1, 2, 1], 5)], { pad: 0 })
      assert.deepStrictEqual(tensor.shape, [2, 2, 2])
      assert.deepStrictEqual(values(tensor), [1, 2, 0, 0, 5, 0, 6, 0])
      assert.deepStrictEqual(mask, Tensor.make("bool", [2, 2, 2], Uint8Array.of(1, 1, 0, 0, 1, 0, 1, 0)))
    }))

  it.effect("keeps every dtype", () =>
    Effect.gen(function*() {
      for (const dtype of Tensor.dtypes) {
        const one = Tensor.fromBytes(
          dtype,
          [1, 2],
          Uint8Array.from({ length: 2 * Tensor.bytesPerElement(dtype) }, () => 1)
        )
        const { mask, tensor } = yield* Batch.stack([Tensor.zeros(dtype, [1, 2]), one ?? assert.fail()], {
          pad: 0,
          mask: dtype
        })
        assert.strictEqual(tensor.dtype, dtype)
        assert.deepStrictEqual(Batch.unstack(tensor, [1, 1])[1], one)
        assert.isTrue([...mask.data].every((element) => Number(element) === (dtype === "float16" ? 0x3c00 : 1)))
      }
    }))

  it.effect("fails with the first that does not fit, and why", () =>
    Effect.gen(function*() {
      const wrong = [
        [floats([1, 2]), floats([1, 2]), floats([1, 3])],
        [floats([1, 2]), floats([1, 2]), floats([1, 2, 1])],
        [floats([1, 2]), floats([1, 2]), Tensor.zeros("float64", [1, 2])]
      ]
      for (const tensors of wrong) {
        const error = yield* Effect.flip(Batch.stack<Tensor.Dtype, ReadonlyArray<number>>(tensors))
        assert.instanceOf(error, Batch.NotStackable)
        assert.strictEqual(error.index, 2)
        assert.include(error.message, "float32[1, 2] along axis 0")
      }
      assert.instanceOf(yield* Effect.flip(Batch.stack([])), Batch.NotStackable)
      assert.instanceOf(yield* Effect.flip(Batch.stack([floats([1])], { axis: 1 })), Batch.NotStackable)
      assert.strictEqual(
        (yield* Effect.flip(Batch.stack([floats([1]), floats([1, 1])], { pad: 0 }))).index,
        1
      )
    }))

  it("gives each part memory of its own", () => {
    const [first, second] = Batch.unstack(floats([2, 2]), [1, 1])
    assert.notStrictEqual(first?.data.buffer, second?.data.buffer)
    assert.strictEqual(first?.data.buffer.byteLength, 8)
  })

  it("refuses parts that do not make up the whole", () => {
    assert.throws(() => Batch.unstack(floats([3, 2]), [1, 1]), "parts of 1 + 1 along axis 0")
  })
})

type Feeds = { readonly x: Tensor.Tensor<"float32", 2> }

describe("Batch.tensors", () => {
  /** `y` is `x` and one more in each element. */
  const increments = () => {
    const seen: Array<ReadonlyArray<number>> = []
    const run = ({ x }: Feeds) =>
      Effect.sync(() => {
        seen.push(x.shape)
        return { y: Tensor.make("float32", x.shape, x.data.map((element) => element + 1)) }
      })
    return { run, seen }
  }

  const matrix = (rows: number, columns: number, from: number) =>
    Tensor.make("float32", [rows, columns], floats([rows, columns], from).data)

  const callAll = <A, E>(call: (feeds: Feeds) => Effect.Effect<A, E>, inputs: ReadonlyArray<Feeds["x"]>) =>
    Effect.forEach(inputs, (x) => Effect.forkChild(call({ x }), { startImmediately: true })).pipe(
      Effect.tap(turns),
      Effect.flatMap((fibers) => Effect.forEach(fibers, (fiber) => Effect.exit(Fiber.join(fiber))))
    )

  it.effect("runs the rows of several calls at once, and gives each its own", () =>
    Effect.gen(function*() {
      const model = increments()
      const call = yield* Batch.tensors({ run: model.run })
      const inputs = [matrix(1, 2, 0), matrix(3, 2, 10), matrix(2, 2, 100)]
      const answers = yield* callAll(call, inputs)
      assert.deepStrictEqual(model.seen, [[6, 2]])
      assert.deepStrictEqual(
        answers,
        inputs.map(({ data, shape }) =>
          Exit.succeed({ y: Tensor.make("float32", shape, data.map((element) => element + 1)) })
        )
      )
    }))

  it.effect("passes the tensors of a lone call as they are", () =>
    Effect.gen(function*() {
      let seen: Feeds | undefined
      const call = yield* Batch.tensors({
        run: (feeds: Feeds) => {
          seen = feeds
          return Effect.succeed({ y: feeds.x })
        }
      })
      const x = matrix(1, 2, 0)
      assert.strictEqual((yield* call({ x })).y, x)
      assert.strictEqual(seen?.x, x)
    }))

  it.effect("counts rows, and cuts a call that has more of them than a run takes", () =>
    Effect.gen(function*() {
      const model = increments()
      const call = yield* Batch.tensors({ run: model.run, maxSize: 4 })
      const [long, short] = yield* callAll(call, [matrix(10, 1, 0), matrix(2, 1, 50)])
      assert.deepStrictEqual(model.seen, [[4, 1], [4, 1], [4, 1]])
      assert.deepStrictEqual(long, Exit.succeed({ y: matrix(10, 1, 1) }))
      assert.deepStrictEqual(short, Exit.succeed({ y: matrix(2, 1, 51) }))
    }))

  it.effect("runs calls of other shapes apart, unless they may be filled up", () =>
    Effect.gen(function*() {
      const model = increments()
      const inputs = [matrix(1, 2, 0), matrix(1, 3, 10), matrix(1, 2, 20)]
      const expected = inputs.map(({ data, shape }) =>
        Exit.succeed({ y: Tensor.make("float32", shape, data.map((element) => element + 1)) })
      )
      assert.deepStrictEqual(yield* callAll(yield* Batch.tensors({ run: model.run }), inputs), expected)
      assert.deepStrictEqual(model.seen.splice(0), [[2, 2], [1, 3]])
      const padded = yield* Batch.tensors({ run: model.run, pad: { x: 0 }, trim: { y: "x" } })
      assert.deepStrictEqual(yield* callAll(padded, inputs), expected)
      assert.deepStrictEqual(model.seen, [[3, 3]])
    }))

  it.effect("gives the memory of what it stacked back where that was asked for, and no other", () =>
    Effect.gen(function*() {
      const model = increments()
      const kept: Array<Tensor.Tensor> = []
      const call = yield* Batch.tensors({
        run: (feeds: Feeds) => Effect.tap(model.run(feeds), ({ y }) => Effect.sync(() => kept.push(feeds.x, y))),
        free: true
      })
      const inputs = [matrix(1, 2, 0), matrix(1, 2, 10)]
      const answers = yield* callAll(call, inputs)
      assert.deepStrictEqual(answers, [Exit.succeed({ y: matrix(1, 2, 1) }), Exit.succeed({ y: matrix(1, 2, 11) })])
      assert.deepStrictEqual(kept.map(({ data }) => data.length), [0, 0])
      assert.deepStrictEqual(inputs.map(({ data }) => data.length), [2, 2])
      kept.splice(0)
      const x = matrix(1, 2, 20)
      assert.deepStrictEqual((yield* call({ x })).y.data, Float32Array.of(21, 22))
      assert.deepStrictEqual(kept.map(({ data }) => data.length), [2, 2])
    }))

  it.effect("refuses a call whose tensors have not the same number of rows, and no other", () =>
    Effect.gen(function*() {
      const call = yield* Batch.tensors({
        run: ({ a }: { readonly a: Tensor.Tensor<"float32", 1>; readonly b: Tensor.Tensor<"float32", 1> }) =>
          Effect.succeed({ a })
      })
      const [one, two] = [Tensor.zeros("float32", [1]), Tensor.zeros("float32", [2])]
      const [good, bad] = yield* Effect.all([
        Effect.exit(call({ a: two, b: two })),
        Effect.flip(call({ a: one, b: two }))
      ], { concurrency: "unbounded" })
      assert.isTrue(Exit.isSuccess(good))
      assert.strictEqual(bad._tag, "InvalidPayload")
      if (bad._tag === "InvalidPayload") assert.include(bad.issue, "b is float32[2], which has not the 1 rows")
    }))

  it.effect("makes outputs that have not a row for each a defect", () =>
    Effect.gen(function*() {
      const call = yield* Batch.tensors({ run: (_: Feeds) => Effect.succeed({ y: Tensor.zeros("float32", [1]) }) })
      for (const exit of yield* callAll(call, [matrix(1, 1, 0), matrix(1, 1, 0)])) {
        assert.isTrue(Exit.hasDies(exit))
        if (Exit.isFailure(exit)) assert.include(String(Cause.squash(exit.cause)), "y came back as float32[1]")
      }
    }))

  it.effect("keeps to deadlines as any other batch does", () =>
    Effect.gen(function*() {
      const call = yield* Batch.tensors({ run: increments().run })
      const error = yield* Effect.flip(call({ x: matrix(1, 1, 0) }).pipe(Deadline.within(0)))
      assert.strictEqual(error._tag, "DeadlineExceeded")
    }))
})
