import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "chorale"
import { Effect, Schema } from "effect"
import { codecFor, codecForClones } from "../../src/internal/bytesCodec.ts"
import * as Compiled from "../../src/internal/compiled.ts"

class Point extends Schema.Class<Point>("Point")({ x: Schema.Int }) {}

const tensor = Tensor.make("float32", [2], Float32Array.of(1, NaN))

/** Payloads, with a value that a caller might give: more fields than there are, defaults that are left out. */
const payloads: ReadonlyArray<readonly [Schema.Codec<unknown, unknown>, object]> = [
  [Schema.Struct({ text: Schema.String, more: Schema.optionalKey(Schema.Boolean) }), { text: "a", secret: "s" }],
  [Schema.Struct({ list: Schema.Array(Schema.Struct({ n: Schema.Int })) }), { list: [{ n: 1, secret: "s" }] }],
  [Schema.Struct({ kind: Schema.Literal("a"), none: Schema.Null }), { kind: "a", none: null }],
  [Schema.Struct({ n: Schema.Number }), { n: -Infinity }],
  [Schema.Struct({ at: Schema.Date, big: Schema.BigInt }), { at: new Date(0), big: 1n }],
  [Schema.Struct({ set: Schema.ReadonlySet(Schema.Date) }), { set: new Set([new Date(0)]) }],
  [Schema.Struct({ either: Schema.Union([Schema.Date, Schema.String]) }), { either: new Date(0) }],
  [Schema.Struct({ point: Point }), { point: new Point({ x: 1 }) }],
  [Schema.Struct({ by: Schema.Record(Schema.String, Schema.Int) }), { by: { a: 1 } }],
  [Schema.Struct({ bytes: Schema.Uint8Array }), { bytes: Uint8Array.of(1) }],
  [Schema.Struct({ tensor: Tensor.schema("float32", ["n"]) }), { tensor }],
  [
    Schema.Struct({ limit: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(5))) }),
    {}
  ]
]

describe("the encoder of what has been checked", () => {
  it.effect("encodes as the other one does, also where it has nothing to do", () =>
    Effect.gen(function*() {
      for (const [schema, given] of payloads) {
        for (const codec of [codecFor, codecForClones]) {
          const checked = yield* Compiled.maker(schema)(given)
          const encoded = yield* Compiled.encoderOfChecked(codec(schema))(checked)
          assert.deepStrictEqual(encoded, yield* Compiled.encoder(codec(schema))(checked))
        }
      }
    }))

  it.effect("has nothing to do for plain fields, and for tensors between threads", () =>
    Effect.gen(function*() {
      const plain = Schema.Struct({ text: Schema.String, list: Schema.Array(Schema.Int) })
      const checked = yield* Compiled.maker(plain)({ text: "a", list: [1] })
      assert.strictEqual(yield* Compiled.encoderOfChecked(codecFor(plain))(checked), checked)
      const carried = { tensor }
      const carrier = Schema.Struct({ tensor: Tensor.schema("float32", ["n"]) })
      assert.strictEqual(yield* Compiled.encoderOfChecked(codecForClones(carrier))(carried), carried)
      assert.notStrictEqual(yield* Compiled.encoderOfChecked(codecFor(carrier))(carried), carried)
    }))
})
