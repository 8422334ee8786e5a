/** What the two ends of a hop agree on. */
import { Layer } from "effect"
import { RpcSerialization } from "effect/rpc"
import { codecFor } from "./bytesCodec.ts"
import * as Frames from "./frames.ts"

/** Where a server answers the calls of `Remote.layerHttp`, below its base URL. */
export const rpcPath = "/rpc"

/** The content type of frames. */
export const contentType = "application/vnd.chorale.frames"

/** The largest frame that is read, in bytes: 1 GiB. A server bounds the body of a request before that. */
const maxFrameSize = 2 ** 30

/** RPC messages as frames: tensors and bytes travel as they are. */
export const serialization: Layer.Layer<RpcSerialization.RpcSerialization> = Layer.succeed(
  RpcSerialization.RpcSerialization,
  {
    contentType,
    includesFraming: true,
    codecFor,
    makeUnsafe: () => {
      const decode = Frames.makeDecoder(maxFrameSize)
      return {
        decode: (data) => decode(typeof data === "string" ? new TextEncoder().encode(data) : data),
        encode: (message) => Frames.encode(Array.isArray(message) ? message : [message])
      }
    }
  }
)
