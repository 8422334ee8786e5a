import { assert, describe, it } from "@effect/vitest"
import { Socket } from "chorale/node"
import { Context, Effect, Layer } from "effect"
import * as Net from "node:net"
import * as Frames from "../../../src/internal/frames.ts"
import { Echo, echoLive, makeWaiting } from "../../fixtures/echo.ts"

const hello = (said: object) => Frames.encode([{ _tag: "Hello", protocol: "chorale/2", maxFrameSize: 1024, ...said }])

const request = (id: number) =>
  Frames.encode([{ _tag: "Request", id, tag: "test/Echo/greet", payload: { name: "x" }, headers: [] }])

/** The heads of the frames that these bytes begin with. */
const headsOf = (bytes: Buffer): ReadonlyArray<string> => {
  const length = bytes.byteLength < Frames.fixed ? Infinity : bytes.readUInt32LE(0)
  if (bytes.byteLength < length) return []
  const head = bytes.toString("utf8", Frames.fixed, Frames.fixed + bytes.readUInt32LE(4))
  return [head, ...headsOf(bytes.subarray(length))]
}

/** The heads of two answers to a client that says hello so. */
const answersTo = (said: object) =>
  Effect.gen(function*() {
    const server = yield* Layer.build(
      Layer.provide(Socket.layerServer([Echo], { port: 0 }, { drainTimeout: 0 }), echoLive(yield* makeWaiting))
    )
    const { address } = Context.get(server, Socket.Server)
    return yield* Effect.callback<ReadonlyArray<string>>((resume) => {
      const socket = Net.connect({ host: "127.0.0.1", port: "port" in address ? address.port : 0 })
      let received = Buffer.alloc(0)
      socket.on("data", (chunk) => {
        received = Buffer.concat([received, chunk])
        const [, ...answers] = headsOf(received)
        if (answers.length === 2) resume(Effect.succeed(answers))
      })
      socket.write(Buffer.concat([hello(said), request(1), request(2)]))
      return Effect.sync(() => socket.destroy())
    })
  })

describe("a connection", () => {
  it.live("has messages without their names for who says that it takes such", () =>
    Effect.gen(function*() {
      const [first, second] = yield* answersTo({ shapes: true })
      assert.deepStrictEqual(JSON.parse(first!), [5, [null, [], ["value", 0]], 1, "hello x"])
      assert.deepStrictEqual(JSON.parse(second!), [4, 0, 2, "hello x"])
    }))

  it.live("has messages with their names for who does not", () =>
    Effect.gen(function*() {
      for (const said of [{}, { shapes: false }, { shapes: "true" }]) {
        const answers = yield* answersTo(said)
        assert.deepStrictEqual(answers.map((answer) => JSON.parse(answer)), [
          [1, 1, { value: "hello x" }],
          [1, 2, { value: "hello x" }]
        ])
      }
    }))
})
