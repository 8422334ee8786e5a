/** What a server says to one request: the items of a stream, and how the call ended. */
import type { RpcMessage } from "effect/rpc"
import * as Frames from "../internal/frames.ts"

export type Reply = RpcMessage.ResponseChunkEncoded | RpcMessage.ResponseExitEncoded

/** The reply to a request that came as a message. Throws FrameError where that is something else. */
export const toReply = (requestId: string | number, message: unknown): Reply => {
  if (isReply(message) && message.requestId === requestId) return message
  throw new Frames.FrameError({ message: "a frame holds no answer to the request" })
}

const isReply = (u: unknown): u is Reply =>
  isRecord(u) && (u["_tag"] === "Exit" ? isExit(u["exit"]) : u["_tag"] === "Chunk" && isItems(u["values"]))

const isExit = (u: unknown): boolean =>
  isRecord(u) && (u["_tag"] === "Success" || u["_tag"] === "Failure" && Array.isArray(u["cause"]))

const isItems = (u: unknown): boolean => Array.isArray(u) && u.length > 0

const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> => typeof u === "object" && u !== null
