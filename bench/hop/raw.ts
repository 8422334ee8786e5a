/** A server by hand: it reads each message as a whole and sends it back as it is. */
import { once } from "node:events"
import * as Net from "node:net"
import { answer } from "../child.ts"
import { reader, write } from "./messages.ts"
import { cpuMicros, type HopServer, socketPath } from "./server.ts"

const listen = async (address: Net.ListenOptions) => {
  const server = Net.createServer({ noDelay: true }, (socket) => {
    socket.on("data", reader((parts) => write(socket, parts)))
    socket.on("error", () => undefined)
  }).listen(address)
  await once(server, "listening")
  return server.address()
}

const unix = { path: socketPath() }
await listen(unix)
const bound = await listen({ host: "127.0.0.1", port: 0 })
// A server that listens on a port has no address of another kind.
const tcp = bound as Net.AddressInfo

answer<HopServer>({ addresses: async () => ({ unix, tcp: { port: tcp.port } }), cpu: async () => cpuMicros() })
