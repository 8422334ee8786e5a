/** The same trivial method in Fastify, with the schemas from which it checks and writes JSON. */
import fastify from "fastify"
import { answer } from "../child.ts"
import { cpuMicros } from "../hop/server.ts"
import type { RestServer } from "./service.ts"

const app = fastify()

app.post<{ Body: { name: string } }>("/bench/Trivial/greet", {
  schema: {
    body: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
    response: { 200: { type: "object", properties: { text: { type: "string" } } } }
  }
}, async ({ body }) => ({ text: `hello ${body.name}` }))

const url = await app.listen({ host: "127.0.0.1", port: 0 })

answer<RestServer>({ url: async () => url, cpu: async () => cpuMicros() })
