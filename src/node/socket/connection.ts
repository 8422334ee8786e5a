/**
 * One connection: each side says hello with its limit, and then sends RPC messages as frames, without the names in them
 * where the other side has said that it takes such shapes.
 *
 * A client may ask for a sign of life, and a server says when it is about to close. Whatever else arrives ends the
 * connection, with the error in which it differs.
 */
import type { RpcMessage } from "effect/rpc"
import type * as Net from "node:net"
import * as Frames from "../../internal/frames.ts"
import * as FrameReader from "./frameReader.ts"
import * as FrameWriter from "./frameWriter.ts"
import * as Shapes from "./shapes.ts"

/** A message that the other side would not take. */
export interface TooLarge {
  readonly length: number
  readonly limit: number
}

export interface Connection {
  /** Whether the other side has said hello, and neither has hung up. */
  readonly isOpen: () => boolean
  /** Sends a message, or says that it is too large, in which case nothing is sent. */
  readonly send: (message: RpcMessage.FromClientEncoded | RpcMessage.FromServerEncoded) => TooLarge | undefined
  /** Takes the bytes that arrived. */
  readonly receive: (chunk: Uint8Array) => void
  /** Asks the other side for a sign of life, which an RPC server gives. */
  readonly ping: () => void
  /** Tells the other side to send its further calls elsewhere. */
  readonly sayClosing: () => void
  /** How many bytes have arrived. */
  readonly received: () => number
  /** Hangs up after everything is written. */
  readonly end: () => void
  /** Hangs up at once. */
  readonly fail: (error: Error) => void
  /** Whether something is awaited of the other side of which nothing has come since this was last asked. */
  readonly isStalled: () => boolean
}

export const make = <Message>(socket: Net.Socket, options: {
  /** The largest message in bytes, in either direction. */
  readonly maxFrameSize: number
  /** Whether to read nothing more while the other side does not take what it was sent. Only one side may. */
  readonly pausesReading: boolean
  readonly onOpen: (connection: Connection) => void
  readonly onMessage: (message: Message, connection: Connection) => void
  /** Called when the other side is about to close. */
  readonly onClosing?: (connection: Connection) => void
  /** Called once when all is over, with the error that ended the connection. */
  readonly onClose: (connection: Connection, error: Error | undefined) => void
}): Connection => {
  let state: "greeting" | "open" | "closed" = "greeting"
  let limit = options.maxFrameSize
  let failure: Error | undefined
  let receivedBytes = 0
  let receivedWhenAsked = -1
  let split: (message: unknown) => Frames.Split = Frames.split

  const writer = FrameWriter.make(socket, () => {
    if (options.pausesReading && socket.writableLength > highWaterMark && !socket.isPaused()) socket.pause()
  })

  const receiveMessage = (message: unknown) => {
    if (state === "open") {
      // What the message holds is checked where it is used: by the RPC server or client, against its schema.
      if (!hasTag(message)) throw new Frames.FrameError({ message: "a frame holds no message" })
      if (message._tag === "Closing") options.onClosing?.(connection)
      else options.onMessage(message as Message, connection)
      return
    }
    if (!isHello(message)) throw new Frames.FrameError({ message: "the other side did not say hello" })
    limit = Math.min(limit, message.maxFrameSize)
    if (message.shapes === true) split = Shapes.makeSplitter(limit)
    state = "open"
    options.onOpen(connection)
  }

  const reader = FrameReader.make({
    limit: () => state === "greeting" ? helloLimit : options.maxFrameSize,
    onMessage: receiveMessage,
    expand: Shapes.makeExpander()
  })

  const close = () => {
    state = "closed"
    reader.stop()
  }

  const connection: Connection = {
    isOpen: () => state === "open",
    send: (message) => {
      const parts = FrameWriter.encode(split(message), limit)
      if (typeof parts === "number") return { length: parts, limit }
      writer.write(parts)
      return undefined
    },
    receive: (chunk) => {
      receivedBytes += chunk.byteLength
      try {
        reader.push(chunk)
      } catch (error) {
        connection.fail(error instanceof Error ? error : new Error(String(error)))
      }
    },
    ping: () => writer.write(ping),
    sayClosing: () => writer.write(closing),
    received: () => receivedBytes,
    end: () => {
      close()
      writer.flush()
      socket.destroySoon()
    },
    fail: (error) => {
      failure ??= error
      close()
      socket.destroy()
    },
    isStalled: () => {
      const waits = state === "greeting" || state === "open" && reader.isPartial() && !socket.isPaused()
      const silent = state === "greeting" ? receivedWhenAsked !== -1 : receivedWhenAsked === receivedBytes
      receivedWhenAsked = receivedBytes
      return waits && silent
    }
  }

  if (options.pausesReading) socket.on("drain", () => socket.resume())
  socket.on("error", (error) => {
    failure ??= error
  })
  socket.on("close", () => {
    close()
    options.onClose(connection, failure)
  })
  writer.write(hello(options.maxFrameSize))
  return connection
}

const highWaterMark = 1024 * 1024

const helloLimit = 1024

const hello = (maxFrameSize: number): ReadonlyArray<Uint8Array> => [
  Frames.encode([{ _tag: "Hello", protocol, maxFrameSize, shapes: true }])
]

const protocol = "chorale/2"

const ping: ReadonlyArray<Uint8Array> = [Frames.encode([{ _tag: "Ping" }])]

const closing: ReadonlyArray<Uint8Array> = [Frames.encode([{ _tag: "Closing" }])]

const hasTag = (u: unknown): u is { readonly _tag: string } =>
  typeof u === "object" && u !== null && "_tag" in u && typeof u._tag === "string"

const isHello = (u: unknown): u is { readonly maxFrameSize: number; readonly shapes?: unknown } =>
  hasTag(u) && u._tag === "Hello" && "protocol" in u && u.protocol === protocol &&
  "maxFrameSize" in u && typeof u.maxFrameSize === "number"
