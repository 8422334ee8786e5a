/** The answer that a server would give if it failed a request for a reason of `ServiceError`. */
import { Schema } from "effect"
import type { RpcMessage } from "effect/rpc"
import * as ServiceError from "../ServiceError.ts"
import { codecFor } from "./bytesCodec.ts"

/** Fails a request for a reason; its tag names the service and the method. */
export const make = (
  requestId: string | number,
  tag: string,
  reason: ServiceError.Reason
): RpcMessage.ResponseExitEncoded => {
  const end = tag.lastIndexOf("/")
  const error = new ServiceError.ServiceError({ service: tag.slice(0, end), method: tag.slice(end + 1), reason })
  return { _tag: "Exit", requestId, exit: { _tag: "Failure", cause: [{ _tag: "Fail", error: encodeError(error) }] } }
}

/** Ends a request that was given up. */
export const interrupted = (requestId: string | number): RpcMessage.ResponseExitEncoded => ({
  _tag: "Exit",
  requestId,
  exit: { _tag: "Failure", cause: [{ _tag: "Interrupt", fiberId: undefined }] }
})

const encodeError = Schema.encodeSync(codecFor(ServiceError.ServiceError))
