/**
 * The shapes of bad requests to a server of tools: JSON-RPC that is none, calls of tools with any arguments, sessions
 * that are none, and versions of the protocol that are mixed up.
 */
import type { BadRequest, Shape } from "../fixtures/hostile/attack.ts"
import * as Pieces from "../fixtures/hostile/pieces.ts"
import * as Vision from "../http/shapes.ts"

const { bytes, contentTypes, cut, deep, integer, oddHeader, pick, poison, scalars, text, tricks, verbs } = Pieces

const names = [
  "jsonrpc",
  "id",
  "method",
  "params",
  "name",
  "arguments",
  "_meta",
  "result",
  "error",
  ...Pieces.inherited
]

const value = (random: Pieces.Random, depth: number) => Pieces.value(random, depth, names)

const tools = ["greet", "form", "sum", "scale", "raw", "nothing", "fail", "remaining", "count", "shed"]

const methods = [
  "tools/call",
  "tools/list",
  "initialize",
  "ping",
  "notifications/initialized",
  "notifications/cancelled",
  "resources/list",
  "resources/read",
  "prompts/get",
  "completion/complete",
  "logging/setLevel",
  "server/discover",
  "rpc.discover",
  "__proto__",
  ""
]

const stateless = "2026-07-28"

/** The shapes of requests of one session, which a client of the version before the last has. */
export const shapesOf = (session: string): ReadonlyArray<Shape> => {
  const post = (body: string, headers: BadRequest["headers"] = {}): BadRequest => ({
    method: "POST",
    path: "/mcp",
    headers: {
      "content-type": "application/json",
      "accept": "application/json, text/event-stream",
      "mcp-session-id": session,
      "mcp-protocol-version": "2025-06-18",
      ...headers
    },
    body: text(body)
  })

  const id = (random: Pieces.Random) =>
    pick(random, ["1", "2", "\"x\"", "null", "1.5", "{}", "[]", "9007199254740993", "true"])

  const call = (random: Pieces.Random, given: string, tool = pick(random, tools)): string =>
    `{"jsonrpc":"2.0","id":${
      integer(random, 100)
    },"method":"tools/call","params":{"name":"Vision_${tool}","arguments":${given}}}`

  return [
    {
      name: "a tool with arguments of any fields",
      make: (random) => post(call(random, Pieces.object(random, 3, Vision.names)))
    },
    { name: "a tool with any arguments", make: (random) => post(call(random, Pieces.value(random, 3, Vision.names))) },
    {
      name: "a tool with arguments that fit, or almost",
      make: (random) =>
        pick(random, [
          () => post(call(random, `{"name":${pick(random, ["\"x\"", "\"\"", "7"])}}`, "greet")),
          () => post(call(random, `{"vector":${Vision.tensor(random)},"by":${pick(random, scalars)}}`, "scale")),
          () => post(call(random, `{"reason":"${pick(random, ["empty", "unknown", ""])}"}`, "fail")),
          () => post(call(random, `{"to":${pick(random, ["-1", "2", "0.5"])}}`, "count")),
          () => post(call(random, `{"payload":"AAAA"}`, "raw"))
        ])()
    },
    {
      name: "a tool that is none",
      make: (random) => post(call(random, "{}", pick(random, ["other", "", "__proto__", "x".repeat(3000), "\\u0000"])))
    },
    {
      name: "a method of any name, with any parameters",
      make: (random) =>
        post(`{"jsonrpc":"2.0","id":${id(random)},"method":"${pick(random, methods)}","params":${value(random, 3)}}`)
    },
    {
      name: "a notification, or an answer that nobody asked for",
      make: (random) =>
        post(
          pick(random, [
            `{"jsonrpc":"2.0","method":"${pick(random, methods)}","params":${value(random, 2)}}`,
            `{"jsonrpc":"2.0","id":${id(random)},"result":${value(random, 2)}}`,
            `{"jsonrpc":"2.0","id":${id(random)},"error":${value(random, 2)}}`
          ])
        )
    },
    { name: "JSON of any shape", make: (random) => post(value(random, 4)) },
    {
      name: "an envelope of any fields",
      make: (random) =>
        post(
          `{"jsonrpc":${pick(random, ["\"2.0\"", "\"1.0\"", "2", "null"])},"id":${id(random)},${
            JSON.stringify(pick(random, names))
          }:${value(random, 3)}}`
        )
    },
    {
      name: "a batch",
      make: (random) =>
        post(`[${Array.from({ length: integer(random, 6) }, () => call(random, "{}")).join()}]`, {
          "mcp-protocol-version": pick(random, ["2025-06-18", "2025-03-26"])
        })
    },
    { name: "JSON that is cut off", make: (random) => post(cut(random, call(random, "{\"name\":\"x\"}"))) },
    {
      name: "JSON that nests deeply",
      make: (random) => post(random() < 0.5 ? deep(random) : call(random, deep(random)))
    },
    {
      name: "JSON with keys of prototypes",
      make: (random) => post(call(random, `{"name":"x",${poison(random)}}`, "greet"))
    },
    {
      name: "a session that is none, or none",
      make: (random) => {
        const { headers, ...rest } = post(call(random, "{\"name\":\"x\"}", "greet"))
        const { "mcp-session-id": _, ...others } = headers
        return random() < 0.3
          ? { ...rest, headers: others }
          : {
            ...rest,
            headers: {
              ...headers,
              "mcp-session-id": pick(random, ["", "x", "__proto__", `${session}0`, "s".repeat(4000)]),
              "mcp-protocol-version": pick(random, ["", "2025-06-18", "2025-11-25", stateless, "1999-01-01", "x"])
            }
          }
      }
    },
    {
      name: "a request of the version without sessions, or almost",
      make: (random) => {
        const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":${
          pick(random, [`"${stateless}"`, `"${stateless}"`, "\"2025-06-18\"", "7"])
        },"io.modelcontextprotocol/clientCapabilities":${pick(random, ["{}", "{}", "null", "[]"])}}`
        const name = pick(random, ["Vision_greet", "Vision_other", "x"])
        const { headers, ...rest } = post(
          `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${
            Pieces.object(random, 2, Vision.names)
          },${meta}}}`
        )
        const { "mcp-session-id": _, ...others } = headers
        return {
          ...rest,
          headers: {
            ...others,
            "mcp-protocol-version": pick(random, [stateless, stateless, "2025-06-18"]),
            "mcp-method": pick(random, ["tools/call", "tools/call", "tools/list"]),
            "mcp-name": pick(random, [name, name, "other"])
          }
        }
      }
    },
    {
      name: "a client of any sort that begins",
      make: (random) => {
        const { headers, ...rest } = post(
          `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":${
            pick(random, ["\"2025-06-18\"", "\"1999-01-01\"", "\"\"", "7"])
          },"capabilities":${pick(random, ["{}", "null", value(random, 2)])},"clientInfo":{"name":"${
            "x".repeat(integer(random, 30_000))
          }","version":${pick(random, ["\"0\"", "0", "null"])}}}}`
        )
        const { "mcp-protocol-version": _version, "mcp-session-id": _session, ...others } = headers
        return { ...rest, headers: random() < 0.8 ? others : headers }
      }
    },
    { name: "bytes that are no UTF-8", make: (random) => ({ ...post(""), body: bytes(random, integer(random, 200)) }) },
    {
      name: "any content type, and any that is accepted",
      make: (random) =>
        post(call(random, "{\"name\":\"x\"}", "greet"), {
          "content-type": pick(random, contentTypes),
          "accept": pick(random, ["", "*/*", "application/json", "text/event-stream;q=0", "a/b;q=x,,,"])
        })
    },
    {
      name: "headers of any value",
      make: (random) => post(call(random, "{\"name\":\"x\"}", "greet"), oddHeader(random))
    },
    {
      name: "a path that is almost the one, with any verb",
      make: (random) => ({
        method: pick(random, verbs),
        path: random() < 0.5 ? "/mcp" : pick(random, tricks("/mcp")),
        headers: { "mcp-session-id": "x", "accept": "text/event-stream" },
        body: new Uint8Array(0)
      })
    },
    { name: "a body over the limit", make: (random) => ({ ...post(""), body: bytes(random, 70_000) }) }
  ]
}
