import { assert, describe, it } from "@effect/vitest"
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js"
import { Effect } from "effect"
import * as Http2 from "node:http2"
import * as Zlib from "node:zlib"
import { tellsOfInside } from "../fixtures/hostile/attack.ts"
import { bytes, cut, integer, pick, type Random, text } from "../fixtures/hostile/pieces.ts"
import { random } from "../fixtures/random.ts"
import * as Messages from "./messages.ts"
import { connect, serve } from "./peer.ts"

const requests = 2000

const open = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => new Client(`127.0.0.1:${port}`, credentials.createInsecure())),
    (client) => Effect.sync(() => client.close())
  )

const send = (client: Client, { message, path }: Messages.Sent, metadata: Metadata) =>
  Effect.callback<ServiceError | "answered">((resume) => {
    const { requestSerialize, responseDeserialize } = Messages.definition(path)
    const options = { deadline: Date.now() + 10_000 }
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
      options,
      (error) => resume(Effect.succeed(error ?? "answered"))
    )
    return Effect.sync(() => call.cancel())
  })

const oddMetadata = (next: () => number): Metadata => {
  const metadata = new Metadata()
  if (next() < 0.1) {
    metadata.set(
      pick(next, ["authorization", "traceparent", "grpc-timeout", "grpc-encoding", "chorale-deadline"]),
      pick(next, ["", "x", "gzip", "-1S", "99999999999999999999H", "00-0-0-0", "y".repeat(3000)])
    )
  }
  return metadata
}

/** What a client may be told that is wrong; `Odd`, which `test.Fate` declares without a status, is a failure of its own. */
const allowed = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.UNIMPLEMENTED,
  status.RESOURCE_EXHAUSTED,
  status.DEADLINE_EXCEEDED,
  status.FAILED_PRECONDITION,
  status.UNAVAILABLE
])

describe("a server of models over gRPC", () => {
  it.live(`takes ${requests} bad messages for what they are`, () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ maxMessageSize: "64 KiB", timeout: "5 seconds" })
      const client = yield* open(port)
      const next = random(6)
      const before = process.memoryUsage()
      const codes = new Map<string, number>()
      yield* Effect.forEach(
        Array.from({ length: requests }, (_, index) => Messages.make(next, index)),
        Effect.fnUntraced(function*(sent) {
          const outcome = yield* send(client, sent, oddMetadata(next))
          const seen = `${sent.shape}: ${sent.path.slice(0, 100)} ${sent.message.subarray(0, 200).toString("latin1")}`
          if (outcome === "answered") return void codes.set("answered", (codes.get("answered") ?? 0) + 1)
          codes.set(status[outcome.code], (codes.get(status[outcome.code]) ?? 0) + 1)
          assert.isTrue(allowed.has(outcome.code), `${status[outcome.code]} ${outcome.details}: ${seen}`)
          assert.isFalse(tellsOfInside(outcome.details), seen)
        }),
        { concurrency: 8, discard: true }
      )
      assert.isBelow(process.memoryUsage().rss - before.rss, 300 * 2 ** 20)
      assert.isAbove(codes.get("answered") ?? 0, 50)
      for (const code of ["INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"]) {
        assert.isAbove(codes.get(code) ?? 0, 50, code)
      }
      const call = yield* connect(port)
      const alive = yield* Effect.promise(() => call("ServerLive", {}).promise)
      assert.deepStrictEqual(alive, { live: true })
    }))
})

interface Raw {
  readonly headers: Http2.OutgoingHttpHeaders
  readonly body: Uint8Array
}

/** A message behind its flag and its length, which may be other ones. */
const framed = (message: Uint8Array, length = message.byteLength, flag = 0): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt8(flag, 0)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, message])
}

const empty = new Uint8Array(0)

const rawShapes: ReadonlyArray<readonly [name: string, make: (random: Random) => Raw]> = [
  ["a length that is another", (random) => ({
    headers: {},
    body: framed(text("\n\u0001x"), pick(random, [0, 1, 2, 4, 100, 2 ** 31, 2 ** 32 - 1]))
  })],
  ["a flag that is none", (random) => ({ headers: {}, body: framed(empty, 0, 1 + integer(random, 255)) })],
  ["no message, half of one, or two", (random) => ({
    headers: {},
    body: pick(random, [
      empty,
      framed(empty).subarray(0, 1 + integer(random, 4)),
      Buffer.concat([framed(empty), framed(empty)])
    ])
  })],
  ["a message that says it is compressed", (random) => ({
    headers: { "grpc-encoding": pick(random, ["gzip", "deflate", "identity", "br", "x", ""]) },
    body: framed(bytes(random, integer(random, 50)), undefined, 1)
  })],
  ["a message that is a thousand times larger than it seems", (random) => ({
    headers: { "grpc-encoding": "gzip" },
    body: framed(random() < 0.5 ? bomb : text(cut(random, bomb.toString("latin1"))), undefined, 1)
  })],
  ["a content type that is none", (random) => ({
    headers: {
      "content-type": pick(random, ["text/plain", "application/json", "application/grpc+json", "", "application/grpcx"])
    },
    body: framed(empty)
  })],
  ["a verb that is none", (random) => ({
    headers: { ":method": pick(random, ["GET", "PUT", "OPTIONS", "FOO"]) },
    body: empty
  })],
  ["a time that is none", (random) => ({
    headers: { "grpc-timeout": pick(random, ["", "x", "-1S", "1", "99999999999H", "1.5S", "0n"]) },
    body: framed(empty)
  })],
  ["bytes that are no frame", (random) => ({ headers: {}, body: bytes(random, integer(random, 300)) })]
]

const bomb = Zlib.gzipSync(Buffer.alloc(100 * 2 ** 20))

/** The status of HTTP and that of gRPC, where there is an answer; nothing where the stream was reset. */
const sendRaw = (session: Http2.ClientHttp2Session, { body, headers }: Raw) =>
  Effect.callback<{ readonly http: number; readonly grpc: string | undefined } | undefined>((resume) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelReady",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers
    })
    let http = 0
    let grpc: string | undefined
    const note = (headers: Http2.IncomingHttpHeaders) => {
      grpc = headers["grpc-status"]?.toString() ?? grpc
    }
    stream.on("response", (headers) => {
      http = headers[":status"] ?? 0
      note(headers)
    })
    stream.on("trailers", note)
    stream.on("error", () => undefined)
    stream.on("close", () => resume(Effect.succeed(http === 0 ? undefined : { http, grpc })))
    stream.resume()
    stream.end(body)
    return Effect.sync(() => stream.close())
  })

describe("a connection to a server over gRPC that speaks another protocol", () => {
  it.live("is answered with what is wrong or reset, in little memory", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ maxMessageSize: "64 KiB", timeout: "5 seconds" })
      const session = yield* Effect.acquireRelease(
        Effect.sync(() => Http2.connect(`http://127.0.0.1:${port}`).on("error", () => undefined)),
        (session) => Effect.sync(() => session.destroy())
      )
      const next = random(12)
      const before = process.memoryUsage()
      const seen = new Set<string>()
      yield* Effect.forEach(
        Array.from({ length: 450 }, (_, index) => rawShapes[index % rawShapes.length]!),
        Effect.fnUntraced(function*([name, make]) {
          const answer = yield* Effect.timeoutOrElse(sendRaw(session, make(next)), {
            duration: "10 seconds",
            orElse: () => Effect.sync(() => assert.fail(`it was not answered: ${name}`))
          })
          if (answer === undefined) return
          seen.add(answer.grpc ?? String(answer.http))
          // INTERNAL is what gRPC itself says of what breaks its own rules; nothing of it gets as far as a handler.
          assert.notStrictEqual(answer.grpc, String(status.UNKNOWN), name)
          assert.isTrue(answer.http < 500, `${answer.http}: ${name}`)
        }),
        { concurrency: 8, discard: true }
      )
      assert.isBelow(process.memoryUsage().rss - before.rss, 300 * 2 ** 20)
      for (const answer of ["415", status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED]) {
        assert.isTrue(seen.has(`${answer}`))
      }
      const call = yield* connect(port)
      assert.deepStrictEqual(yield* Effect.promise(() => call("ServerLive", {}).promise), { live: true })
    }))
})
