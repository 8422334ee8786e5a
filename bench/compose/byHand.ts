/** The same by hand: node:http, and two calls by undici to servers on node:http. */
import Undici from "@effect/platform-node/Undici"
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { answer } from "../child.ts"
import { cpuMicros } from "../hop/server.ts"
import type { Orchestrator } from "./server.ts"

const read = async (request: IncomingMessage) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

answer<Orchestrator>({
  url: async (services) => {
    const pools = services.map((url) => new Undici.Pool(url))
    const call = async (pool: (typeof pools)[number], record: unknown) => {
      const { body } = await pool.request({
        method: "POST",
        path: "/",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(record)
      })
      return body.json()
    }
    const server = createServer(async (request, response) => {
      const record: unknown = JSON.parse(await read(request))
      const [first, second] = await Promise.all(pools.map((pool) => call(pool, record)))
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ first, second }))
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    // A server that listens on a port has no address of another kind.
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  },
  cpu: async () => cpuMicros()
})
