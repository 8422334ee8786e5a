import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Attack from "../fixtures/hostile/attack.ts"
import * as Pieces from "../fixtures/hostile/pieces.ts"
import { random } from "../fixtures/random.ts"
import { serve } from "./models.ts"

/**
 * The shapes of wrong requests, each with what it does to a request that is right:
 *
 * - shape: negative, fractional, huge (up to terabytes), of another rank, no numbers, missing
 * - datatype: unknown, of another case, BYTES, BF16, a number
 * - data: too few, too many, ragged, nested too deeply, NaN, strings, null, out of range, missing, both forms at once
 * - binary: sizes that disagree with the shape or with what is there, negative, fractional, truncated, left over
 * - the length of the header: more than there is, negative, words, inside of the JSON, zero
 * - the JSON: cut off, no object, deep, keys that reach a prototype, bytes that are no UTF-8, wrong types anywhere
 * - names: unknown, twice, long, of a prototype
 */
interface Wrong {
  readonly path: string
  readonly headerLength: string | undefined
  readonly body: Uint8Array<ArrayBuffer>
}

type Pick = <A>(values: ReadonlyArray<A>) => A

const pickWith = (next: () => number): Pick => (values) => values[Math.floor(next() * values.length)]!

const deep = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`

const odd: ReadonlyArray<unknown> = [
  null,
  -1,
  1.5,
  "x",
  true,
  {},
  [],
  [[]],
  [null],
  1e308,
  -1e308,
  9007199254740992,
  Number.MAX_SAFE_INTEGER,
  "NaN",
  { __proto__: null, toString: 1 },
  [1, [2]],
  "\u0000",
  "x".repeat(5000)
]

const shapes: ReadonlyArray<unknown> = [
  [-1],
  [-2, -2],
  [1.5],
  [2 ** 40],
  [2 ** 40, 2],
  [2 ** 53],
  [1e308],
  [1, 2],
  [],
  ["2"],
  [null],
  "2",
  new Array(10_000).fill(1),
  [0],
  [3],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
]

const datatypes: ReadonlyArray<unknown> = ["BYTES", "BF16", "fp32", "FP64", "INT64", "", "__proto__", 7, null, "FP16"]

const datas: ReadonlyArray<unknown> = [
  [1],
  [1, 2, 3],
  [[1, 2]],
  [[1], [2]],
  [1, null],
  ["1", "2"],
  [1, 1e300],
  [1, "NaN"],
  [true, {}],
  "AAAA",
  null,
  {},
  new Array(5000).fill(1)
]

const sizes: ReadonlyArray<unknown> = [0, 1, 7, 9, 2 ** 40, -1, 1.5, "8", null, 2 ** 53, true]

const names: ReadonlyArray<unknown> = ["other", "", "__proto__", "constructor", "x".repeat(10_000), 7, null]

/** A request that is right but for one to three things. */
const makeWrong = (next: () => number): Wrong => {
  const pick = pickWith(next)
  const input: Record<string, unknown> = { name: "input", shape: [2], datatype: "FP32" }
  const request: Record<string, unknown> = { id: "1", inputs: [input] }
  const isBinary = next() < 0.5
  let binary = new Uint8Array(isBinary ? 8 : 0)
  if (isBinary) input["parameters"] = { binary_data_size: 8 }
  else input["data"] = [1, 2]
  const wrongs: ReadonlyArray<() => void> = [
    () => input["shape"] = pick(shapes),
    () => input["datatype"] = pick(datatypes),
    () => input["data"] = pick(datas),
    () => input["parameters"] = { binary_data_size: pick(sizes) },
    () => input["parameters"] = pick(odd),
    () => input["name"] = pick(names),
    () => delete input[pick(Object.keys(input))],
    () => request["inputs"] = pick<unknown>([[], [input, input], [null], {}, "x", [[input]], undefined]),
    () =>
      request["outputs"] = pick<unknown>(["x", [null], [{}], [{ name: "other" }], [{ name: "output", parameters: 1 }]]),
    () =>
      request["parameters"] = pick<unknown>([1, "x", [], { binary_data_output: 1 }, { binary_data_output: "true" }]),
    () => request["id"] = pick(odd),
    () => request[pick(["inputs", "outputs", "parameters", "id"])] = pick(odd),
    () => binary = binary.slice(0, Math.floor(next() * 8)),
    () => binary = new Uint8Array(binary.byteLength + 1 + Math.floor(next() * 100))
  ]
  for (let count = 1 + Math.floor(next() * 3); count > 0; count--) pick(wrongs)()
  let json = Buffer.from(JSON.stringify(request))
  let length: string | undefined = isBinary ? String(json.byteLength) : undefined
  const spoilt = next()
  if (spoilt < 0.05) json = json.subarray(0, Math.floor(next() * json.byteLength))
  else if (spoilt < 0.08) {
    json = Buffer.from(pick([deep(100_000), "[]", "null", "\"x\"", "{\"__proto__\":{}}", `{"inputs":${deep(70)}}`]))
  } else if (spoilt < 0.1) json = Buffer.concat([json, Buffer.from([0xff, 0xfe])])
  else if (spoilt < 0.2) {
    length = pick([
      "-1",
      "x",
      "0",
      "1",
      "999999999999",
      "9".repeat(400),
      "0x10",
      " ",
      "1.5",
      String(json.byteLength - 1)
    ])
  }
  const path = pick([
    "test.Echo.whole",
    "test.Echo.whole",
    "test.Echo.whole",
    "test.Echo.numbers",
    "nothing",
    "..%2f..",
    "__proto__"
  ])
  return { path, headerLength: length, body: Uint8Array.from(Buffer.concat([json, binary])) }
}

const paths = [
  "/v2",
  "/v2/health/live",
  "/v2/health/ready",
  "/v2/models",
  "/v2/models/test.Echo.whole",
  "/v2/models/test.Echo.whole/ready",
  "/v2/models/test.Echo.whole/infer",
  "/v2/models/test.Echo.whole/versions/1/infer"
]

const send = async (url: string, { body, headerLength, path }: Wrong) => {
  const response = await fetch(`${url}/v2/models/${path}/infer`, {
    method: "POST",
    headers: headerLength === undefined ? {} : { "inference-header-content-length": headerLength },
    body,
    signal: AbortSignal.timeout(10_000)
  })
  return { status: response.status, text: await response.text() }
}

describe("a server of models", () => {
  it.live("answers 2560 wrong requests with what is wrong, and stays as it was", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ maxBodySize: "1 MiB" })
      const next = random(20)
      const statuses = new Map<number, number>()
      yield* Effect.promise(() => send(url, makeWrong(random(1))))
      const before = process.memoryUsage()
      for (let round = 0; round < 80; round++) {
        const wrongs = Array.from({ length: 32 }, () => makeWrong(next))
        const answers = yield* Effect.promise(() => Promise.all(wrongs.map((wrong) => send(url, wrong))))
        answers.forEach(({ status, text }, index) => {
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          const { body, headerLength, path } = wrongs[index]!
          const context = `${status} ${text.slice(0, 200)} to ${path} ${headerLength} ${
            Buffer.from(body).toString().slice(0, 500)
          }`
          assert.isTrue(status === 200 || status === 400 || status === 404, context)
          if (status !== 200) assert.isAtMost(text.length, 2000, context)
          if (status !== 200) assert.deepStrictEqual(Object.keys(JSON.parse(text)), ["error"], context)
        })
      }
      const after = process.memoryUsage()
      assert.isAbove(statuses.get(400) ?? 0, 1200)
      assert.isAbove(statuses.get(404) ?? 0, 300)
      // What was right after all, such as a name that nobody reads, or a shape that the elements have.
      assert.isBelow(statuses.get(200) ?? 0, 256)
      assert.isBelow(after.rss - before.rss, 300 * 1024 * 1024)
    }))

  it.live("takes 600 requests with wrong paths, verbs and headers for what they are", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ maxBodySize: "64 KiB", timeout: "5 seconds" })
      const shapes: ReadonlyArray<Attack.Shape> = [
        {
          name: "a path that is almost one, with any verb",
          make: (random) => ({
            method: Pieces.pick(random, Pieces.verbs),
            path: Pieces.pick(random, Pieces.tricks(Pieces.pick(random, paths))),
            headers: {},
            body: new Uint8Array(0)
          })
        },
        {
          name: "headers of any value",
          make: (random) => ({
            method: "POST",
            path: "/v2/models/test.Echo.whole/infer",
            headers: {
              ...Pieces.oddHeader(random),
              "inference-header-content-length": Pieces.pick(random, ["0", "9"])
            },
            body: Pieces.bytes(random, Pieces.integer(random, 20))
          })
        },
        {
          name: "a body over the limit",
          make: (random) => ({
            method: "POST",
            path: Pieces.pick(random, paths),
            headers: {},
            body: new Uint8Array(70_000)
          })
        }
      ]
      const complaint: Attack.Complaint = ({ method }, { status, text }) =>
        status < 400 || method === "HEAD" || text === "" || "error" in JSON.parse(text)
          ? undefined
          : `it was answered with ${text.slice(0, 200)}`
      const attack = { url, shapes, requests: 600, seed: 21, complaint, growth: 300 * 2 ** 20 }
      const statuses = yield* Attack.attack(attack)
      for (const status of [200, 400, 404, 405, 413, 415]) assert.isTrue(statuses.has(status), `${status}`)
    }))

  it.live("sets no memory aside for a shape that claims terabytes", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const claims = [[2 ** 40, 2], [2 ** 50, 2]]
      for (const shape of claims) {
        const input = { name: "float32", shape, datatype: "FP32" }
        const bool = { name: "bool", shape, datatype: "BOOL" }
        const before = process.memoryUsage().arrayBuffers
        for (const data of [[1, 2], [[1, 2]], Array.from({ length: 100 }, () => [1, 2])]) {
          const inputs = [{ ...input, data }, { ...bool, data }]
          const body = Uint8Array.from(Buffer.from(JSON.stringify({ inputs })))
          const answer = yield* Effect.promise(() =>
            send(url, { path: "test.Echo.numbers", headerLength: undefined, body })
          )
          assert.strictEqual(answer.status, 400)
          assert.include(answer.text, "elements in a message of")
        }
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 10 * 1024 * 1024)
      }
    }))
})
