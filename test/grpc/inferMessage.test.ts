import { assert, describe, it } from "@effect/vitest"
import * as InferMessage from "../../src/grpc/inferMessage.ts"
import { WireError } from "../../src/grpc/wire.ts"
import { random } from "../fixtures/random.ts"
import * as Messages from "./messages.ts"
import { inference } from "./peer.ts"

const { requestDeserialize, requestSerialize } = inference.service["ModelInfer"]!

interface Loaded {
  readonly model_name: string
  readonly model_version: string
  readonly id: string
  readonly inputs: ReadonlyArray<{
    readonly name: string
    readonly datatype: string
    readonly shape: ReadonlyArray<string>
    readonly contents: Readonly<Record<string, ReadonlyArray<number | string | boolean>>> | null
  }>
  readonly outputs: ReadonlyArray<{ readonly name: string }>
  readonly raw_input_contents: ReadonlyArray<Uint8Array>
}

/** The message as the loader of the .proto reads it, in our words. */
const load = (bytes: Buffer): unknown => {
  // The messages of this method have these fields.
  const message = requestDeserialize(bytes) as Loaded
  return {
    model_name: message.model_name,
    model_version: message.model_version,
    id: message.id,
    tensors: message.inputs.map(({ contents, datatype, name, shape }) => ({
      name,
      datatype,
      shape: shape.map(Number),
      contents: contents === null ? undefined : [
        contents["bool_contents"]!.map(Number),
        contents["int_contents"],
        contents["int64_contents"],
        contents["uint_contents"],
        contents["uint64_contents"],
        contents["fp32_contents"],
        contents["fp64_contents"]
      ]
    })),
    asked: message.outputs.map(({ name }) => name),
    raw: message.raw_input_contents.map((bytes) => Array.from(bytes))
  }
}

const read = (bytes: Buffer): unknown => {
  const { raw, tensors, ...rest } = InferMessage.readRequest(bytes)
  return {
    ...rest,
    tensors: tensors.map(({ contents, ...head }) => ({
      ...head,
      contents: contents && [
        Array.from(contents.bool ?? []),
        Array.from(contents.int32 ?? []),
        Array.from(contents.int64 ?? [], String),
        Array.from(contents.uint32 ?? []),
        Array.from(contents.uint64 ?? [], String),
        Array.from(contents.float32 ?? []),
        Array.from(contents.float64 ?? [])
      ]
    })),
    raw: raw.map((bytes) => Array.from(bytes))
  }
}

/** What reading ends with: a message, or that there is none. */
const attempt = <A>(read: () => A): A | "no message" => {
  try {
    return read()
  } catch {
    return "no message"
  }
}

describe("an inference as bytes", () => {
  it("is read as the loader of the .proto reads it, packed or not", () => {
    const contents = {
      bool_contents: [true, false],
      int_contents: [0, -1, 2 ** 31 - 1, -(2 ** 31)],
      int64_contents: ["-9223372036854775808", "9223372036854775807", "9007199254740993", "-1", "0"],
      uint_contents: [0, 2 ** 32 - 1],
      uint64_contents: ["18446744073709551615", "9007199254740993"],
      fp32_contents: [NaN, -0, Infinity, 1.5],
      fp64_contents: [NaN, -0, 5e-324, 0.1]
    }
    const tensor = { name: "é", datatype: "FP32", shape: ["-1", "0", "300"], contents }
    const bytes: Buffer = requestSerialize({
      model_name: "m",
      model_version: "2",
      id: "7",
      parameters: { a: { string_param: "x" } },
      inputs: [tensor, { name: "b" }],
      outputs: [{ name: "y" }, {}],
      raw_input_contents: [Buffer.from([1, 2]), Buffer.alloc(0)]
    })
    assert.deepStrictEqual(read(bytes), load(bytes))
    // One by one: 5 and 10 as `int64_contents`, each with a key of its own.
    const loose = Buffer.from("2a062a041805180a", "hex")
    assert.deepStrictEqual(read(loose), load(loose))
    assert.deepStrictEqual(InferMessage.readRequest(loose).tensors[0]?.contents?.int64, BigInt64Array.of(5n, 10n))
  })

  it("is read as the loader reads it, whatever it is, where both find a message", () => {
    const next = random(8)
    const outcomes = { same: 0, refused: 0, stricter: 0, laxer: 0 }
    for (let index = 0; index < 20_000; index++) {
      const { message, shape } = Messages.make(next, index)
      // The loader takes a number of 6 to 9 bytes for one of 10 where 32 bits are asked for.
      if (/many small|over the limit|damaged|bytes that are no/.test(shape)) continue
      const own = attempt(() => read(message))
      const loaded = attempt(() => load(message))
      if (own === "no message") outcomes[loaded === "no message" ? "refused" : "stricter"]++
      else if (loaded === "no message") outcomes.laxer++
      else {
        assert.deepStrictEqual(own, loaded, `${shape}: ${message.toString("hex")}`)
        outcomes.same++
      }
    }
    assert.isAbove(outcomes.same, 4000)
    assert.isAbove(outcomes.refused, 2000)
    // The loader takes groups, and fields that are written as another type; what is passed over here, it reads.
    assert.isBelow(outcomes.stricter, 2000)
    assert.isBelow(outcomes.laxer, 500)
  })

  it("takes no more memory than its elements, and is refused where it has more tensors than any model", () => {
    const ones = Buffer.alloc(1_000_000, 1)
    const block = (field: number, content: Buffer): Buffer => {
      const length = content.byteLength
      return Buffer.concat([
        Buffer.from([field << 3 | 2, length & 0x7f | 0x80, length >> 7 & 0x7f | 0x80, length >> 14]),
        content
      ])
    }
    const [tensor] = InferMessage.readRequest(block(5, block(5, block(3, ones)))).tensors
    assert.instanceOf(tensor?.contents?.int64, BigInt64Array)
    assert.strictEqual(tensor.contents.int64.length, 1_000_000)
    for (const field of [5, 6, 7]) {
      const many = Buffer.alloc(4000).fill(Buffer.from([field << 3 | 2, 0]))
      assert.throws(() => InferMessage.readRequest(many), WireError, /more than 1024/)
    }
    assert.throws(() => InferMessage.readRequest(block(5, block(3, ones))), WireError, /more than 64/)
  })
})
