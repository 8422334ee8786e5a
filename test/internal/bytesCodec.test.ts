import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "chorale"
import { Effect, Exit, Option, Schema } from "effect"
import { codecFor } from "../../src/internal/bytesCodec.ts"

const bytes = Uint8Array.of(1, 2, 3)

const encode = <A, I>(schema: Schema.Codec<A, I>, value: A) => Schema.encodeEffect(codecFor(schema))(value)

const roundTrip = <A, I>(schema: Schema.Codec<A, I>, value: A) =>
  Effect.flatMap(encode(schema, value), (encoded) => Schema.decodeUnknownEffect(codecFor(schema))(encoded))

class Picture extends Schema.Class<Picture>("test/Picture")({ name: Schema.String, data: Schema.Uint8Array }) {}

interface Tree {
  readonly data: Uint8Array
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  data: Schema.Uint8Array,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

describe("codecFor", () => {
  it.effect("leaves bytes as they are, in structs, arrays, unions, records, options, classes and recursion", () =>
    Effect.gen(function*() {
      const Everything = Schema.Struct({
        plain: Schema.Uint8Array,
        checked: Schema.Uint8Array.check(Schema.makeFilter((bytes) => bytes.length > 0 || "must not be empty")),
        list: Schema.Array(Schema.Uint8Array),
        either: Schema.Union([Schema.String, Schema.Uint8Array]),
        record: Schema.Record(Schema.String, Schema.Uint8Array),
        option: Schema.Option(Schema.Uint8Array),
        absent: Schema.optionalKey(Schema.Uint8Array),
        picture: Picture,
        tree: Tree
      })
      const value = {
        plain: bytes,
        checked: bytes,
        list: [bytes, bytes],
        either: bytes,
        record: { a: bytes },
        option: Option.some(bytes),
        picture: new Picture({ name: "p", data: bytes }),
        tree: { data: bytes, children: [{ data: bytes, children: [] }] }
      }
      assert.deepStrictEqual(yield* roundTrip(Everything, value), value)
      assert.strictEqual(JSON.stringify(yield* encode(Everything, value)).includes("AQID"), false)
    }))

  it.effect("gives the very bytes of a tensor", () =>
    Effect.gen(function*() {
      const tensor = Tensor.make("float32", [2], Float32Array.of(1, 2))
      const encoded = yield* encode(Tensor.schema("float32", [2]), tensor)
      assert.deepStrictEqual(encoded, { dtype: "float32", shape: [2], data: Tensor.toBytes(tensor) })
    }))

  it.effect("encodes everything else as JSON does", () =>
    Effect.gen(function*() {
      const Rest = Schema.Struct({
        date: Schema.Date,
        big: Schema.BigInt,
        // @effect-diagnostics-next-line schemaNumber:off
        number: Schema.Number,
        exit: Schema.Exit(Schema.Int, Schema.String, Schema.Defect())
      })
      const value = { date: new Date(0), big: 12345678901234567890n, number: NaN, exit: Exit.succeed(1) }
      assert.deepStrictEqual(yield* encode(Rest, value), yield* Schema.encodeEffect(Schema.toCodecJson(Rest))(value))
    }))

  it.effect("refuses what JSON refuses", () =>
    Effect.gen(function*() {
      const decode = Schema.decodeUnknownEffect(codecFor(Schema.Struct({ data: Schema.Uint8Array })))
      for (const data of ["AQID", [1, 2, 3], null, new Float32Array(1)]) yield* Effect.flip(decode({ data }))
    }))
})
