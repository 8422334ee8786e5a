import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Net from "node:net"
import * as Frames from "../../../src/internal/frames.ts"
import * as FrameWriter from "../../../src/node/socket/frameWriter.ts"

describe("frames that are written to a socket", () => {
  it.effect("go out in one write, all that are sent before what runs then ends", () =>
    Effect.gen(function*() {
      const chunks: Array<Uint8Array> = []
      const socket = new Net.Socket()
      socket._write = (chunk, _, done) => {
        chunks.push(chunk)
        done()
      }
      const { write } = FrameWriter.make(socket, () => undefined)
      const messages = Array.from({ length: 64 }, (_, id) => ({ _tag: "Interrupt", requestId: id }))
      for (const message of messages) {
        const parts = FrameWriter.encode(Frames.split(message), 1024)
        if (typeof parts !== "number") write(parts)
      }
      assert.deepStrictEqual(chunks, [])
      yield* Effect.promise(() => Promise.resolve())
      assert.strictEqual(chunks.length, 1)
      assert.deepStrictEqual(Frames.makeDecoder(1024)(chunks[0]!), messages)
    }))
})
