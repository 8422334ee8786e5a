/** The echo by grpc-js on a unix socket and on a port. */
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall } from "@grpc/grpc-js"
import { answer } from "../child.ts"
import { Echo, options } from "./grpcService.ts"
import { cpuMicros, type HopServer, socketPath } from "./server.ts"

const echo = <A>({ request }: ServerUnaryCall<A, A>, respond: sendUnaryData<A>) => respond(null, request)

const server = new Server(options)
server.addService(Echo.service, { Json: echo, Tensor: echo })

const bind = (address: string) =>
  new Promise<number>((resolve, reject) =>
    server.bindAsync(
      address,
      ServerCredentials.createInsecure(),
      (error, port) => error === null ? resolve(port) : reject(error)
    )
  )

const unix = { path: socketPath() }
await bind(`unix:${unix.path}`)
const tcp = { port: await bind("127.0.0.1:0") }

answer<HopServer>({ addresses: async () => ({ unix, tcp }), cpu: async () => cpuMicros() })
