/** What the two ends of a hop over HTTP agree on. */

/** Where a server answers the calls of `Remote.layerHttp`, below its base URL. */
export const rpcPath = "/rpc"

/** The content type of frames. */
export const contentType = "application/vnd.chorale.frames"
