/** What the two ends of a hop agree on. */
import type { Layer } from "effect"
import { RpcSerialization } from "effect/rpc"

/** Where a server answers the calls of `Remote.layerHttp`, below its base URL. */
export const rpcPath = "/rpc"

/** The content type of the messages that `serialization` writes. */
export const contentType = "application/vnd.effect.rpc+schema-binary"

/** Schema-driven binary messages: tensors and bytes travel as they are. The body limit of the server bounds them. */
export const serialization: Layer.Layer<RpcSerialization.RpcSerialization> = RpcSerialization.layerSchemaBinary({
  maxFrameSize: "unbounded"
})
