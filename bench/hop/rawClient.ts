/** A client by hand: each call is a message, and the answers come in the order of the calls. */
import { Effect } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import { lengthField, reader, write } from "./messages.ts"

/** Connects for the length of a scope; `call` resolves with the body of the answer, in a buffer of its own. */
export const connect = Effect.fnUntraced(function*(address: Net.NetConnectOpts) {
  const socket = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Net.connect({ noDelay: true, ...address })
      await once(socket, "connect")
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const waiting: Array<(body: Uint8Array<ArrayBuffer>) => void> = []
  socket.on("data", reader((parts) => waiting.shift()?.(join(parts))))
  return (body: Uint8Array): Promise<Uint8Array<ArrayBuffer>> =>
    new Promise((resolve) => {
      waiting.push(resolve)
      const head = Buffer.allocUnsafe(lengthField)
      head.writeUInt32LE(body.byteLength)
      write(socket, [head, body])
    })
})

const join = (parts: ReadonlyArray<Buffer>): Uint8Array<ArrayBuffer> => {
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, -lengthField)
  const whole = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  let offset = -lengthField
  for (const part of parts) {
    const taken = offset < 0 ? part.subarray(-offset) : part
    whole.set(taken, Math.max(0, offset))
    offset += part.byteLength
  }
  return whole
}
