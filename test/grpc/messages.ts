/**
 * The bytes of messages of the Open Inference Protocol that no honest client would send over gRPC: each is a right one
 * but for a few things, or none at all.
 */
import type { MethodDefinition } from "@grpc/grpc-js"
import { bytes, integer, pick, type Random } from "../fixtures/hostile/pieces.ts"

/** How a message of any content is written: fields by their numbers, as protobuf does. */
const varint = (value: number | bigint): Buffer => {
  const out: Array<number> = []
  let left = BigInt.asUintN(64, BigInt(value))
  do {
    const low = Number(left & 0x7fn)
    left >>= 7n
    out.push(left === 0n ? low : low | 0x80)
  } while (left !== 0n)
  return Buffer.from(out)
}

const block = (field: number, content: Uint8Array): Buffer =>
  Buffer.concat([varint(field << 3 | 2), varint(content.byteLength), content])

const word = (field: number, content: string) => block(field, Buffer.from(content))

const number = (field: number, value: number | bigint) => Buffer.concat([varint(field << 3), varint(value)])

const packed = (field: number, values: ReadonlyArray<number | bigint>) =>
  block(field, Buffer.concat(values.map(varint)))

const floats = (field: number, values: ReadonlyArray<number>) =>
  block(field, Buffer.from(Float32Array.from(values).buffer))

const models = ["test.Echo.whole", "test.Echo.numbers", "test.Echo.integers", "test.Echo.every", "test.Fate"]

const odd = ["", "other", "__proto__", "constructor", "\u0000", "x".repeat(5000), "..%2f..", "test.Echo.whole "]

const sizes = [0, 1, 2, 3, -1, 2 ** 31, 2 ** 40, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, 9007199254740993n]

const datatypes = ["FP32", "FP64", "FP16", "INT32", "INT64", "UINT8", "BOOL", "BYTES", "BF16", "fp32", "", "__proto__"]

const contents = (random: Random): Buffer =>
  pick(random, [
    () => floats(6, Array.from({ length: integer(random, 5) }, () => pick(random, [0, 1.5, NaN, Infinity, -0]))),
    () => packed(2, Array.from({ length: integer(random, 5) }, () => pick(random, [0, 1, -1, 300, 2 ** 31]))),
    () => packed(4, Array.from({ length: integer(random, 5) }, () => pick(random, [0, 1, -1, 300, 2 ** 31]))),
    () => packed(3, Array.from({ length: integer(random, 5) }, () => pick(random, sizes))),
    () => packed(5, Array.from({ length: integer(random, 5) }, () => pick(random, sizes))),
    () => packed(1, [1, 0, 2]),
    () => word(8, "text"),
    () => block(6, bytes(random, integer(random, 20))),
    () => block(7, bytes(random, integer(random, 20))),
    () => Buffer.alloc(0)
  ])()

const tensor = (random: Random): Buffer => {
  const name = random() < 0.8 ? pick(random, ["input", "input", "float32", "bool", "how", "int64"]) : pick(random, odd)
  return Buffer.concat([
    word(1, name),
    word(2, random() < 0.6 ? pick(random, ["FP32", "INT32", "BOOL", "INT64"]) : pick(random, datatypes)),
    random() < 0.6
      ? packed(3, pick(random, [[2], [1], [2, 2], []]))
      : packed(3, Array.from({ length: integer(random, 6) }, () => pick(random, sizes))),
    random() < 0.7 ? block(5, contents(random)) : Buffer.alloc(0),
    random() < 0.1
      ? block(4, Buffer.concat([word(1, "shared_memory_region"), block(2, word(3, "x"))]))
      : Buffer.alloc(0)
  ])
}

const infer = (random: Random): Buffer =>
  Buffer.concat([
    word(1, random() < 0.9 ? pick(random, models) : pick(random, odd)),
    random() < 0.1 ? word(2, pick(random, ["1", ...odd])) : Buffer.alloc(0),
    random() < 0.3 ? word(3, pick(random, odd)) : Buffer.alloc(0),
    ...Array.from({ length: integer(random, 3) }, () => block(5, tensor(random))),
    ...random() < 0.1 ? [block(6, word(1, pick(random, ["output", "other", ...odd])))] : [],
    ...random() < 0.5
      ? Array.from({ length: integer(random, 3) }, () => block(7, bytes(random, integer(random, 20))))
      : []
  ])

/** One input that fits the model, with many elements or sizes of a byte each. */
const swollen = (random: Random): Buffer => {
  const ones = Buffer.alloc(integer(random, 60_000), 1)
  return Buffer.concat([
    word(1, pick(random, ["test.Echo.whole", "test.Echo.integers"])),
    block(
      5,
      Buffer.concat([word(1, "input"), word(2, "FP32"), random() < 0.5 ? block(3, ones) : block(5, block(3, ones))])
    )
  ])
}

/** Groups, and messages in messages, as deep as bytes can go. */
const nested = (random: Random): Buffer => {
  const depth = integer(random, 20_000)
  return random() < 0.5
    ? Buffer.alloc(depth, 5 << 3 | 3)
    : Buffer.concat([Buffer.alloc(depth, 9 << 3 | 3), Buffer.alloc(depth, 9 << 3 | 4)])
}

const damaged = (random: Random, whole: Buffer): Buffer => {
  const copy = Buffer.from(whole)
  for (let changes = 1 + integer(random, 4); changes > 0 && copy.byteLength > 0; changes--) {
    copy[integer(random, copy.byteLength)] = integer(random, 256)
  }
  return copy
}

const lies = (random: Random): Buffer =>
  pick(random, [
    // Lengths that go beyond the message, numbers without an end, and fields that are none.
    () => Buffer.concat([varint(1 << 3 | 2), varint(pick(random, [100, 2 ** 31, 2 ** 32, 2n ** 63n]))]),
    () => Buffer.alloc(1 + integer(random, 20), 0xff),
    () => Buffer.from([0x00, 0x01]),
    () => Buffer.from([1 << 3 | 7]),
    () => Buffer.concat([number(1, 7), infer(random)]),
    () => block(5, block(3, Buffer.alloc(11, 0xff))),
    () => word(1, "\u{1f600}".repeat(100)),
    () => block(1, Buffer.from([0xff, 0xfe, 0xc0, 0x80]))
  ])()

export interface Sent {
  readonly path: string
  readonly message: Buffer
  readonly shape: string
}

const inference = (method: string) => `/inference.GRPCInferenceService/${method}`

const shapes: ReadonlyArray<readonly [name: string, make: (random: Random) => Buffer]> = [
  ["an inference of any tensors", infer],
  ["an inference that is damaged", (random) => damaged(random, infer(random))],
  ["an inference that is cut off", (random) => {
    const whole = infer(random)
    return whole.subarray(0, integer(random, whole.byteLength))
  }],
  ["an inference with a part of another", (random) => Buffer.concat([infer(random), tensor(random)])],
  ["an inference of many small things", swollen],
  ["groups that nest deeply", nested],
  ["lengths and fields that are none", lies],
  ["bytes that are no message", (random) => bytesOf(random)],
  ["a message over the limit", (random) => Buffer.alloc(70_000, integer(random, 256))]
]

const bytesOf = (random: Random) => Buffer.from(bytes(random, integer(random, 300)))

const methods = ["ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"]

const paths = [
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
  inference("ModelStreamInfer"),
  inference("__proto__"),
  inference(""),
  "/",
  "/inference.GRPCInferenceService",
  "/../ModelInfer",
  "//ModelInfer",
  `/${"x".repeat(5000)}`
]

/** A message of one of the shapes, in turn, to a method that could be meant. */
export const make = (random: Random, index: number): Sent => {
  const [shape, make] = shapes[index % shapes.length]!
  const kind = random()
  const path = kind < 0.7
    ? inference("ModelInfer")
    : kind < 0.9
    ? inference(pick(random, methods))
    : pick(random, paths)
  return { shape, path, message: make(random) }
}

/** Bytes as they are, to any path. */
export const definition = (path: string): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => message,
  requestDeserialize: (message) => message,
  responseSerialize: (message) => message,
  responseDeserialize: (message) => message
})
