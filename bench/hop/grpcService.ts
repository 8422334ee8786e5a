/** The echo as a gRPC service, and what of grpc-js the benchmark uses of it. */
import { loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js"
import { loadSync } from "@grpc/proto-loader"
import { fileURLToPath } from "node:url"

const loaded = loadPackageDefinition(
  loadSync(fileURLToPath(new URL("./echo.proto", import.meta.url)), { defaults: true, keepCase: true })
)

// A package definition has no static types; the file beside this one declares the service.
export const Echo = (loaded["bench"] as unknown as { readonly Echo: ServiceClientConstructor }).Echo

/** No limit on a message, as our own server has none that a tensor meets. */
export const options = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 }
