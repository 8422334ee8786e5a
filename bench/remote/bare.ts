/** The least that a server written by hand does: read the body whole, parse it where it is JSON, and send it back. */
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { answer } from "../child.ts"
import type { Server } from "./contracts.ts"

const server = createServer(async (request, response) => {
  const body = await read(request)
  const type = request.headers["content-type"]
  response.setHeader("content-type", type ?? "application/octet-stream")
  response.end(type === "application/json" ? JSON.stringify(JSON.parse(body.toString())) : body)
})

const read = (request: IncomingMessage) =>
  new Promise<Buffer>((resolve, reject) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => resolve(Buffer.concat(chunks)))
    request.on("error", reject)
  })

server.listen(0, "127.0.0.1")
await once(server, "listening")
// A server that listens on a port has no address of another kind.
const { port } = server.address() as AddressInfo

answer<Server>({ url: async () => `http://127.0.0.1:${port}` })
