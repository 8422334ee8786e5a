import { assert, describe, it } from "@effect/vitest"
import { Model, Tensor } from "chorale"
import { Effect, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Contracts from "../../examples/ocr/contracts.ts"
import * as Description from "../../src/internal/contractDescription.ts"
import { compare, difference } from "../../src/internal/contractDifference.ts"
import { fingerprint, parse, type Part, type Shape } from "../../src/internal/contractShape.ts"
import { streamOf } from "../../src/internal/payloadStream.ts"

const root = (schema: Schema.Top): Part => Description.describe(schema).root

const between = (writer: Schema.Top, reader: Schema.Top) =>
  difference(Description.describe(writer), Description.describe(reader), {
    writer: "the caller",
    reader: "the replica",
    path: "payload"
  })

interface Tree {
  readonly data: Uint8Array
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  data: Schema.Uint8Array,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

interface Wood {
  readonly data: Uint8Array
  readonly children: ReadonlyArray<Wood>
}
const Wood: Schema.Codec<Wood> = Schema.suspend(() =>
  Schema.Struct({ children: Schema.Array(Wood), data: Schema.Uint8Array })
)

class Failed extends Schema.TaggedError<Failed>()("Failed", { at: Schema.Date }) {}
class Picture extends Schema.Class<Picture>("test/Picture")({ data: Schema.Uint8Array }) {}

const string: Part = { type: "string" }
const number: Part = { type: "number" }
const required = (name: string, part: Part) => ({ name, optional: false, part })
const optional = (name: string, part: Part) => ({ name, optional: true, part })

describe("the shape of a schema", () => {
  const kinds: ReadonlyArray<readonly [name: string, schema: Schema.Top, part: Part]> = [
    ["a string", Schema.NonEmptyString, string],
    ["a template", Schema.TemplateLiteral(["a", Schema.String]), string],
    ["a number", Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })), number],
    // @effect-diagnostics-next-line schemaNumber:off
    ["a number that may be infinite", Schema.Number, {
      type: "union",
      members: [
        { type: "literal", value: "-Infinity" },
        { type: "literal", value: "Infinity" },
        { type: "literal", value: "NaN" },
        { type: "number" }
      ]
    }],
    ["a boolean", Schema.Boolean, { type: "boolean" }],
    ["null", Schema.Null, { type: "null" }],
    ["undefined", Schema.Undefined, { type: "null" }],
    ["void", Schema.Void, { type: "null" }],
    ["never", Schema.Never, { type: "never" }],
    ["any", Schema.Any, { type: "any" }],
    ["unknown", Schema.Unknown, { type: "json" }],
    ["a type of its own", Schema.declare((u): u is symbol => typeof u === "symbol"), { type: "json" }],
    ["bytes", Schema.Uint8Array.check(Schema.makeFilter(() => true)), { type: "bytes" }],
    ["bigint", Schema.BigInt, { type: "string", format: "bigint" }],
    ["a date", Schema.Date, { type: "string", format: "date" }],
    ["a number in a string", Schema.FiniteFromString, { type: "string", format: "number" }],
    // @effect-diagnostics-next-line schemaNumber:off
    ["a duration", Schema.DurationFromMillis, root(Schema.Number)],
    ["a literal", Schema.Literal("a"), { type: "literal", value: "a" }],
    ["literals", Schema.Literals(["b", "a", 1]), {
      type: "union",
      members: [{ type: "literal", value: "a" }, { type: "literal", value: "b" }, { type: "literal", value: 1 }]
    }],
    ["an enum", Schema.Enum({ B: "b", A: "a" }), {
      type: "union",
      members: [{ type: "literal", value: "a" }, { type: "literal", value: "b" }]
    }],
    ["a list", Schema.Array(Schema.String), { type: "array", elements: [], rest: [string] }],
    ["a list with items", Schema.NonEmptyArray(Schema.String), { type: "array", elements: [], rest: [string] }],
    ["a tuple", Schema.Tuple([Schema.String, Schema.optionalKey(Schema.Int)]), {
      type: "array",
      elements: [{ optional: false, part: string }, { optional: true, part: number }],
      rest: []
    }],
    ["a tuple that goes on", Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Int, Schema.Boolean]), {
      type: "array",
      elements: [{ optional: false, part: string }],
      rest: [number, { type: "boolean" }]
    }],
    ["a set", Schema.ReadonlySet(Schema.Int), { type: "array", elements: [], rest: [number] }],
    [
      "a struct",
      Schema.Struct({
        c: Schema.optionalKey(Schema.String),
        b: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(5))),
        a: Schema.String
      }),
      { type: "object", fields: [required("a", string), optional("b", number), optional("c", string)], rest: [] }
    ],
    ["a struct whose keys are renamed", Schema.Struct({ a: Schema.String }).pipe(Schema.encodeKeys({ a: "b" })), {
      type: "object",
      fields: [required("b", string)],
      rest: []
    }],
    ["a class", Picture, { type: "object", fields: [required("data", { type: "bytes" })], rest: [] }],
    ["a record", Schema.Record(Schema.String, Schema.Int), {
      type: "object",
      fields: [],
      rest: [{ keys: "string", part: number }]
    }],
    ["a record of some keys", Schema.Record(Schema.TemplateLiteral(["x-", Schema.String]), Schema.Int), {
      type: "object",
      fields: [],
      rest: [{ keys: "x-${string}", part: number }]
    }],
    ["an optional value", Schema.NullOr(Schema.String), { type: "union", members: [{ type: "null" }, string] }],
    ["an option", Schema.Option(Schema.Int), {
      type: "union",
      members: [
        { type: "object", fields: [required("_tag", { type: "literal", value: "None" })], rest: [] },
        {
          type: "object",
          fields: [required("_tag", { type: "literal", value: "Some" }), required("value", number)],
          rest: []
        }
      ]
    }],
    ["an error", Failed, {
      type: "object",
      fields: [
        required("_tag", { type: "literal", value: "Failed" }),
        required("at", { type: "string", format: "date" })
      ],
      rest: []
    }],
    ["a tensor", Tensor.schema("float32", ["n", 3]), { type: "tensor", dtype: "float32", dimensions: ["n", 3] }],
    ["a scalar", Tensor.schema("bool", []), { type: "tensor", dtype: "bool", dimensions: [] }],
    [
      "a tensor that is checked",
      Tensor.schema("int64", [2]).check(Schema.makeFilter(() => true)).annotate({ title: "pair" }),
      { type: "tensor", dtype: "int64", dimensions: [2] }
    ],
    ["a stream", streamOf(Tensor.schema("float32", ["samples"]), Failed), {
      type: "stream",
      item: { type: "tensor", dtype: "float32", dimensions: ["samples"] },
      error: root(Failed)
    }]
  ]

  it.each(kinds)("says what travels for %s", (_, schema, part) => {
    assert.deepStrictEqual(Description.describe(schema), { root: part, definitions: [] })
  })

  it("names a part that contains itself", () => {
    const tree: Part = {
      type: "object",
      fields: [
        required("children", { type: "array", elements: [], rest: [{ type: "reference", to: 0 }] }),
        required("data", { type: "bytes" })
      ],
      rest: []
    }
    assert.deepStrictEqual(Description.describe(Tree), { root: tree, definitions: [tree] })
  })

  it("ends where a schema makes new schemas without end", () => {
    const endless = (): Schema.Codec<unknown> => Schema.Struct({ next: Schema.Array(Schema.suspend(() => endless())) })
    const shape = Description.describe(endless())
    assert.strictEqual(shape.definitions.length, 100)
    assert.strictEqual(difference(shape, shape, { writer: "a", reader: "b", path: "payload" }), undefined)
  })
})

describe("a fingerprint", () => {
  it("is the same in every version of the library", () => {
    const contract = Description.describeService(Contracts.Ocr.methods)["read"]
    assert.strictEqual(fingerprint(Description.describe(Schema.String)), "2ui45kjihqt70")
    assert.strictEqual(fingerprint(Description.describe(Tensor.schema("float32", ["n", 3]))), "2g8graa7hghxs")
    assert.strictEqual(contract === undefined ? "" : fingerprint(contract), "2czfgbj6112l7")
  })

  it("depends on neither the order of fields and members nor the names of dimensions", () => {
    const of = (schema: Schema.Top) => fingerprint(Description.describe(schema))
    const same: ReadonlyArray<readonly [Schema.Top, Schema.Top]> = [
      [Schema.Struct({ a: Schema.Int, b: Schema.String }), Schema.Struct({ b: Schema.String, a: Schema.Int })],
      [Schema.Literals(["a", "b"]), Schema.Literals(["b", "a"])],
      [Schema.Union([Schema.Int, Schema.Null]), Schema.Union([Schema.Null, Schema.Union([Schema.Int])])],
      [Tensor.schema("float32", ["n", 3]), Tensor.schema("float32", ["batch", 3])],
      [Schema.String, Schema.NonEmptyString]
    ]
    for (const [left, right] of same) assert.strictEqual(of(left), of(right))
  })

  it("tells apart what differs", () => {
    const schemas = [
      Schema.Struct({ a: Schema.Int }),
      Schema.Struct({ a: Schema.optionalKey(Schema.Int) }),
      Schema.Struct({ b: Schema.Int }),
      Schema.Struct({ a: Schema.String }),
      Schema.Array(Schema.Int),
      Schema.Tuple([Schema.Int]),
      Tensor.schema("float32", ["n"]),
      Tensor.schema("float32", ["n", "m"]),
      Tensor.schema("float32", [3]),
      Tensor.schema("float64", ["n"]),
      streamOf(Schema.Int),
      streamOf(Schema.Int, Failed),
      Tree,
      Schema.Date,
      Schema.BigInt
    ]
    assert.strictEqual(new Set(schemas.map((schema) => fingerprint(Description.describe(schema)))).size, schemas.length)
  })
})

describe("the difference of two shapes", () => {
  const Old = Schema.Struct({ image: Tensor.schema("uint8", ["n", 3]) })
  const table: ReadonlyArray<
    readonly [what: string, writer: Schema.Top, reader: Schema.Top, text: string | undefined]
  > = [
    ["a field that only the writer knows", Schema.Struct({ ...Old.fields, b: Schema.Int }), Old, undefined],
    [
      "an optional field that only the reader knows",
      Old,
      Schema.Struct({ ...Old.fields, b: Schema.optionalKey(Schema.Int) }),
      undefined
    ],
    [
      "a field with a default",
      Old,
      Schema.Struct({ ...Old.fields, b: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))) }),
      undefined
    ],
    [
      "a required field that only the reader knows",
      Old,
      Schema.Struct({ ...Old.fields, b: Schema.Int }),
      "payload.b: the replica needs it, the caller does not send it"
    ],
    [
      "a field that the writer may leave out",
      Schema.Struct({ a: Schema.optionalKey(Schema.Int) }),
      Schema.Struct({ a: Schema.Int }),
      "payload.a: the replica needs it, the caller may leave it out"
    ],
    [
      "a field that was renamed",
      Schema.Struct({ a: Schema.Int }),
      Schema.Struct({ b: Schema.Int }),
      "payload.b: the replica needs it, the caller does not send it"
    ],
    [
      "another dtype",
      Schema.Struct({ image: Tensor.schema("float32", ["n", 3]) }),
      Old,
      "payload.image: the caller sends float32[n, 3], the replica takes uint8[n, 3]"
    ],
    [
      "another rank",
      Tensor.schema("uint8", ["n"]),
      Tensor.schema("uint8", ["n", 3]),
      "payload: the caller sends uint8[n], the replica takes uint8[n, 3]"
    ],
    [
      "another fixed size",
      Tensor.schema("uint8", ["n", 4]),
      Tensor.schema("uint8", ["n", 3]),
      "payload: the caller sends uint8[n, 4], the replica takes uint8[n, 3]"
    ],
    [
      "any size where one is fixed",
      Tensor.schema("uint8", ["n", "c"]),
      Tensor.schema("uint8", ["n", 3]),
      "payload: the caller sends uint8[n, c], the replica takes uint8[n, 3]"
    ],
    ["a fixed size where any is taken", Tensor.schema("uint8", [2, 3]), Tensor.schema("uint8", ["n", "c"]), undefined],
    [
      "a tensor for a list",
      Tensor.schema("uint8", ["n"]),
      Schema.Array(Schema.Int),
      "payload: the caller sends uint8[n], the replica takes a list of a number"
    ],
    ["another kind", Schema.String, Schema.Int, "payload: the caller sends a string, the replica takes a number"],
    [
      "an object for a list",
      Old,
      Schema.Array(Schema.Int),
      "payload: the caller sends { image }, the replica takes a list of a number"
    ],
    [
      "bytes for a string",
      Schema.Uint8Array,
      Schema.String,
      "payload: the caller sends bytes, the replica takes a string"
    ],
    [
      "a string for a date",
      Schema.String,
      Schema.Date,
      "payload: the caller sends a string, the replica takes a date in a string"
    ],
    ["a date for a string", Schema.Date, Schema.String, undefined],
    [
      "a string for a bigint",
      Schema.Struct({ a: Schema.String }),
      Schema.Struct({ a: Schema.BigInt }),
      "payload.a: the caller sends a string, the replica takes a bigint in a string"
    ],
    ["stricter checks", Schema.String, Schema.NonEmptyString, undefined],
    [
      "a literal that the reader lacks",
      Schema.Literals(["a", "b", "c"]),
      Schema.Literals(["a", "b"]),
      "payload: the caller sends \"c\", the replica takes \"a\" or \"b\""
    ],
    ["a literal that the writer lacks", Schema.Literals(["a", "b"]), Schema.Literals(["a", "b", "c"]), undefined],
    [
      "a literal for its kind",
      Schema.Literals(["a", 1, true]),
      Schema.Union([Schema.String, Schema.Int, Schema.Boolean]),
      undefined
    ],
    [
      "a kind for a literal",
      Schema.String,
      Schema.Literal("a"),
      "payload: the caller sends a string, the replica takes \"a\""
    ],
    [
      "a member that the reader lacks",
      Schema.NullOr(Schema.Int),
      Schema.Int,
      "payload: the caller sends null, the replica takes a number"
    ],
    ["a member that the writer lacks", Schema.Int, Schema.NullOr(Schema.Int), undefined],
    [
      "infinite numbers",
      // @effect-diagnostics-next-line schemaNumber:off
      Schema.Number,
      Schema.Finite,
      "payload: the caller sends \"-Infinity\", the replica takes a number"
    ],
    ["nothing at all", Schema.Never, Schema.Int, undefined],
    [
      "something for nothing",
      Schema.Int,
      Schema.Never,
      "payload: the caller sends a number, the replica takes nothing"
    ],
    ["anything", Tree, Schema.Any, undefined],
    [
      "bytes in JSON",
      Schema.Struct({ a: Schema.Array(Picture) }),
      Schema.Struct({ a: Schema.Unknown }),
      "payload.a[].data: the caller sends bytes, the replica takes any JSON"
    ],
    ["JSON in JSON", Schema.Struct({ a: Schema.Record(Schema.String, Schema.Date) }), Schema.Unknown, undefined],
    [
      "JSON for a kind",
      Schema.Unknown,
      Schema.String,
      "payload: the caller sends any JSON, the replica takes a string"
    ],
    [
      "a tuple that grew",
      Schema.Tuple([Schema.Int]),
      Schema.Tuple([Schema.Int, Schema.Int]),
      "payload[1]: the replica needs it, the caller does not send it"
    ],
    [
      "a tuple that shrank",
      Schema.Tuple([Schema.Int, Schema.Int]),
      Schema.Tuple([Schema.Int]),
      "payload[1]: the caller may send it, the replica has no place for it"
    ],
    [
      "a tuple for a list",
      Schema.Tuple([Schema.Int, Schema.String]),
      Schema.Array(Schema.Int),
      "payload[1]: the caller sends a string, the replica takes a number"
    ],
    [
      "a list for a tuple",
      Schema.Array(Schema.Int),
      Schema.Tuple([Schema.Int]),
      "payload[0]: the replica needs it, the caller may leave it out"
    ],
    [
      "an optional item",
      Schema.Tuple([Schema.Int]),
      Schema.Tuple([Schema.Int, Schema.optionalKey(Schema.Int)]),
      undefined
    ],
    [
      "items of another kind",
      Schema.Struct({ a: Schema.Array(Schema.Int) }),
      Schema.Struct({ a: Schema.Array(Schema.String) }),
      "payload.a[]: the caller sends a number, the replica takes a string"
    ],
    [
      "a list that goes on",
      Schema.Array(Schema.Int),
      Schema.Tuple([Schema.optionalKey(Schema.Int)]),
      "payload[1]: the caller may send it, the replica has no place for it"
    ],
    [
      "the end of a list",
      Schema.TupleWithRest(Schema.Tuple([]), [Schema.Int, Schema.Boolean]),
      Schema.TupleWithRest(Schema.Tuple([]), [Schema.Int, Schema.String]),
      "payload[]: the caller sends a boolean, the replica takes a string"
    ],
    [
      "values of a record",
      Schema.Record(Schema.String, Schema.Int),
      Schema.Record(Schema.String, Schema.String),
      "payload[*]: the caller sends a number, the replica takes a string"
    ],
    [
      "fields for a record",
      Schema.Struct({ a: Schema.Int, b: Schema.String }),
      Schema.Record(Schema.String, Schema.Int),
      "payload.b: the caller sends a string, the replica takes a number"
    ],
    [
      "a record for fields",
      Schema.Record(Schema.String, Schema.Int),
      Schema.Struct({ a: Schema.optionalKey(Schema.String) }),
      "payload.a: the caller sends a number, the replica takes a string"
    ],
    [
      "an item of a stream",
      streamOf(Schema.Int),
      streamOf(Schema.String),
      "payload[]: the caller sends a number, the replica takes a string"
    ],
    [
      "an error of a stream",
      streamOf(Schema.Int, Failed),
      streamOf(Schema.Int),
      "payload.error: the caller sends Failed, the replica takes nothing"
    ],
    [
      "a stream for a list",
      streamOf(Schema.Int),
      Schema.Array(Schema.Int),
      "payload: the caller sends a stream of a number, the replica takes a list of a number"
    ],
    ["what is recursive, written in two ways", Tree, Wood, undefined],
    [
      "what is recursive and differs inside",
      Wood,
      Schema.Struct({
        data: Schema.Uint8Array,
        children: Schema.Array(Schema.Struct({ data: Schema.String, children: Schema.Array(Schema.Any) }))
      }),
      "payload.children[].data: the caller sends bytes, the replica takes a string"
    ],
    [
      "a member with the same tag",
      Schema.Union([Failed, Schema.TaggedStruct("Other", { a: Schema.Int })]),
      Schema.Union([Failed, Schema.TaggedStruct("Other", { a: Schema.String })]),
      "payload.a: the caller sends a number, the replica takes a string"
    ],
    [
      "a member with a tag of its own",
      Schema.Union([Failed, Schema.TaggedStruct("Other", {})]),
      Failed,
      "payload._tag: the caller sends \"Other\", the replica takes \"Failed\""
    ]
  ]

  it.each(table)("says %s", (_, writer, reader, text) => {
    assert.strictEqual(between(writer, reader), text)
  })

  it("is none between a shape and itself, whose fingerprint is its own", () => {
    const next = random(7)
    for (let run = 0; run < 500; run++) {
      const shape = generate(next)
      const copy: Shape = JSON.parse(JSON.stringify(shape))
      assert.isUndefined(difference(shape, copy, { writer: "a", reader: "b", path: "payload" }), JSON.stringify(shape))
      assert.strictEqual(fingerprint(copy), fingerprint(shape))
    }
  })

  it("does not take back what a member that was refused had agreed to", () => {
    // The first member agrees with the writer about `list` only as long as it agrees about `tag`, which it does not.
    const list = (item: Part): Part => ({ type: "array", elements: [], rest: [item] })
    const writer: Shape = {
      root: { type: "reference", to: 0 },
      definitions: [{
        type: "object",
        fields: [required("list", list({ type: "reference", to: 0 })), required("tag", number)],
        rest: []
      }]
    }
    const reader: Shape = {
      root: { type: "union", members: [{ type: "reference", to: 0 }, { type: "reference", to: 1 }] },
      definitions: [
        {
          type: "object",
          fields: [required("list", list({ type: "reference", to: 0 })), required("tag", string)],
          rest: []
        },
        { type: "object", fields: [required("list", list({ type: "reference", to: 0 }))], rest: [] }
      ]
    }
    assert.isDefined(difference(writer, reader, { writer: "a", reader: "b", path: "payload" }))
  })

  it("gives up on shapes that were made to take for ever", () => {
    const either = (to: number): ReadonlyArray<Part> =>
      Array.from({ length: 2 }, () => ({ type: "array", elements: [], rest: [{ type: "reference", to }] }))
    const shape = (leaf: Part): Shape => ({
      root: { type: "reference", to: 0 },
      definitions: Array.from(
        { length: 40 },
        (_, index): Part => index === 39 ? leaf : { type: "union", members: either(index + 1) }
      )
    })
    assert.strictEqual(
      difference(shape(string), shape(number), { writer: "a", reader: "b", path: "payload" }),
      "payload: too large to compare"
    )
  })
})

describe("the contract of a method", () => {
  const contractOf = (rpc: Rpc.Any) => {
    class Service extends Model.Service<Service>()("test/Service", [rpc]) {}
    const [contract] = Object.values(Description.describeService(Service.methods))
    if (contract === undefined) throw new Error("no method")
    return contract
  }
  const Other = Schema.TaggedStruct("Other", { detail: Schema.String })
  const method = Rpc.make("m", { payload: { a: Schema.Int }, success: Schema.String, error: Failed })

  const table: ReadonlyArray<readonly [what: string, caller: Rpc.Any, replica: Rpc.Any, text: string | undefined]> = [
    ["nothing where they agree", method, method, undefined],
    [
      "that the payload has a new required field",
      method,
      Rpc.make("m", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.String, error: Failed }),
      "payload.b: the replica needs it, the caller does not send it"
    ],
    [
      "that a method without payload got one",
      Rpc.make("m"),
      Rpc.make("m", { payload: { a: Schema.Int } }),
      "payload: the caller sends null, the replica takes { a }"
    ],
    [
      "that the result has a new kind",
      method,
      Rpc.make("m", { payload: { a: Schema.Int }, success: Schema.Int, error: Failed }),
      "success: the replica sends a number, the caller takes a string"
    ],
    [
      "that the replica has a new error",
      method,
      Rpc.make("m", { payload: { a: Schema.Int }, success: Schema.String, error: Schema.Union([Failed, Other]) }),
      "error._tag: the replica sends \"Other\", the caller takes \"Failed\""
    ],
    [
      "nothing of an error that the replica no longer has",
      Rpc.make("m", { payload: { a: Schema.Int }, success: Schema.String, error: Schema.Union([Failed, Other]) }),
      method,
      undefined
    ],
    [
      "that only the caller expects a stream",
      Rpc.make("m", { success: Schema.Int, stream: true }),
      Rpc.make("m", { success: Schema.Int }),
      "for the caller the result is a stream, for the replica it is not"
    ],
    [
      "that only the replica streams",
      Rpc.make("m", { success: Schema.Int }),
      Rpc.make("m", { success: Schema.Int, stream: true }),
      "for the replica the result is a stream, for the caller it is not"
    ]
  ]

  it.each(table)("says %s", (_, caller, replica, text) => {
    assert.strictEqual(compare(contractOf(caller), contractOf(replica)), text)
  })

  it("is missing on one side", () => {
    assert.strictEqual(compare(contractOf(method), undefined), "the replica has no such method")
    assert.strictEqual(compare(undefined, contractOf(method)), "the caller has no such method")
    assert.isUndefined(compare(undefined, undefined))
  })

  it("agrees with itself after it has travelled", () => {
    for (
      const { methods } of [
        Contracts.TextDetector,
        Contracts.OrientationClassifier,
        Contracts.TextRecognizer,
        Contracts.Ocr
      ]
    ) {
      for (const contract of Object.values(Description.describeService(methods))) {
        const travelled = Option.getOrUndefined(parse(JSON.parse(JSON.stringify(contract))))
        assert.deepStrictEqual(travelled, contract)
        assert.isUndefined(compare(contract, travelled))
        assert.isUndefined(compare(travelled, contract))
      }
    }
  })

  it("is refused from a stranger where it is none, or too deep, or too large, or refers to nothing", () => {
    const contract = contractOf(method)
    const wrap = (part: Part): unknown => ({ ...contract, payload: { root: part, definitions: [] } })
    let deep: Part = string
    for (let level = 0; level < 10_000; level++) deep = { type: "array", elements: [], rest: [deep] }
    const wide: Part = { type: "union", members: Array.from({ length: 100_000 }, () => string) }
    const itself: ReadonlyArray<ReadonlyArray<Part>> = [
      [{ type: "reference", to: 0 }],
      [{ type: "union", members: [string, { type: "reference", to: 1 }] }, { type: "reference", to: 0 }]
    ]
    const twice = Array.from({ length: 99 }, (_, index): Part => {
      const next: Part = { type: "reference", to: index + 1 }
      return { type: "union", members: [next, next] }
    })
    const chain = Array.from({ length: 20_000 }, (_, index): Part => ({ type: "reference", to: index + 1 }))
    assert.isTrue(Option.isSome(parse({ ...contract, payload: { root: string, definitions: [...twice, string] } })))
    const inputs: ReadonlyArray<unknown> = [
      { ...contract, payload: { root: string, definitions: [...chain, string] } },
      ...itself.map((definitions) => ({ ...contract, payload: { root: string, definitions } })),
      undefined,
      null,
      1,
      "{}",
      [],
      {},
      { ...contract, stream: "no" },
      wrap(deep),
      wrap(wide),
      wrap({ type: "reference", to: 0 }),
      wrap({ type: "reference", to: -1 }),
      wrap({ type: "array", elements: [], rest: [{ type: "reference", to: 5 }] }),
      JSON.parse("{\"__proto__\":{\"type\":\"string\"}}")
    ]
    for (const input of inputs) assert.isTrue(Option.isNone(parse(input)))
    assert.isTrue(Option.isSome(parse(wrap(string))))
  })
})

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
const random = (seed: number) => () => {
  seed = seed + 0x6d2b79f5 | 0
  let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
  mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
  return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32
}

const leaves: ReadonlyArray<Part> = [
  { type: "any" },
  { type: "json" },
  { type: "null" },
  { type: "bytes" },
  string,
  number,
  { type: "string", format: "date" },
  { type: "literal", value: "a" },
  { type: "tensor", dtype: "int8", dimensions: ["n", 2] }
]

/** A shape with two definitions, any of which any part may refer to. */
const generate = (next: () => number): Shape => {
  const several = (levels: number) => Array.from({ length: Math.floor(next() * 4) }, () => part(levels - 1))
  const part = (levels: number): Part => {
    const kind = levels === 0 ? 0 : next()
    if (kind < 0.3) return leaves[Math.floor(next() * leaves.length)] ?? string
    if (kind < 0.4) return { type: "reference", to: next() < 0.5 ? 0 : 1 }
    if (kind < 0.5) return { type: "union", members: several(levels) }
    if (kind < 0.6) return { type: "stream", item: part(levels - 1), error: part(levels - 1) }
    const elements = several(levels).map((part) => ({ optional: next() < 0.3, part }))
    return kind < 0.8
      ? { type: "array", elements, rest: several(levels) }
      : {
        type: "object",
        fields: elements.map((element, index) => ({ name: `f${index}`, ...element })),
        rest: several(levels).slice(0, 1).map((part) => ({ keys: "x-${string}", part }))
      }
  }
  return { root: part(4), definitions: [part(4), part(4)] }
}
