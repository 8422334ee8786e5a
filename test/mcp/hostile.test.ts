import { assert, describe, it } from "@effect/vitest"
import { Mcp } from "chorale"
import { Effect, Layer } from "effect"
import * as Attack from "../fixtures/hostile/attack.ts"
import { makeWaiting, serveVision, Vision, visionLive } from "../http/surface.ts"
import { shapesOf } from "./shapes.ts"

const tools = [
  Mcp.tool(Vision, "greet"),
  Mcp.tool(Vision, "form"),
  Mcp.tool(Vision, "sum"),
  Mcp.tool(Vision, "scale"),
  Mcp.tool(Vision, "raw"),
  Mcp.tool(Vision, "nothing"),
  Mcp.tool(Vision, "fail"),
  Mcp.tool(Vision, "remaining"),
  Mcp.tool(Vision, "count"),
  Mcp.tool(Vision, "shed")
] as const

const requests = 1600

/** Errors of JSON-RPC and results of tools say whose fault it was too. */
const complaint: Attack.Complaint = (_, { text }) =>
  /"code":\s*-32603|"Defect"/.test(text.replaceAll("\\\"", "\""))
    ? `it was answered with ${text.slice(0, 300)}`
    : undefined

const begin = (url: string) =>
  Effect.promise(async () => {
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "0" } }
    const response = await fetch(`${url}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })
    })
    return response.headers.get("mcp-session-id") ?? ""
  })

describe("a server of tools", () => {
  it.live(`takes ${requests} bad requests for what they are`, () =>
    Effect.gen(function*() {
      const served = Layer.orDie(Mcp.http(tools, { name: "vision", version: "1" })).pipe(
        Layer.provide(visionLive(yield* makeWaiting))
      )
      const { url } = yield* serveVision({ maxBodySize: "64 KiB" }, {}, served)
      const shapes = shapesOf(yield* begin(url))
      const statuses = yield* Attack.attack({ url, shapes, requests, seed: 9, complaint, growth: 300 * 2 ** 20 })
      for (const status of [200, 202, 400, 404, 405, 406, 413, 415]) assert.isTrue(statuses.has(status), `${status}`)
      assert.isAbove(statuses.get(200) ?? 0, 300)
    }))
})
