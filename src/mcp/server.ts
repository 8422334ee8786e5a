/** The server of tools, which is loaded by the programs that serve some. */
import { type Cause, Context, Effect, Layer, type Stdio } from "effect"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import { HttpRouter } from "effect/http"
import * as Limits from "../http/limits.ts"
import type * as Mcp from "../Mcp.ts"
import type * as Model from "../Model.ts"
import * as Route from "./route.ts"
import * as ToolCall from "./tool.ts"

type Tools = ReadonlyArray<Mcp.Tool>

/** Adds the route to the router of the context. */
export const http = (
  tools: Tools,
  options: Mcp.HttpOptions
): Layer.Layer<never, Cause.IllegalArgumentError, HttpRouter.HttpRouter> => {
  const { maxSessions = 4096, path = "/mcp" } = options
  const { allowedOrigins, instructions, name, version } = options
  const server = McpServer.layerHttp({
    name,
    version,
    instructions,
    allowedOrigins,
    path,
    protocols,
    allowSessionTermination: true,
    registrations: register(tools)
  })
  return HttpRouter.use(Effect.fnUntraced(function*(router) {
    const inner = yield* HttpRouter.make
    yield* Layer.build(Layer.provide(server, Layer.succeed(HttpRouter.HttpRouter, inner)))
    const bounds = { path, limits: Limits.make(options), maxSessions }
    yield* router.add("*", path, Route.make(inner.asHttpEffect(), bounds))
  }))
}

/** Serves over standard input and output. */
export const stdio = (
  tools: Tools,
  options: Mcp.Options
): Layer.Layer<never, Cause.IllegalArgumentError, Stdio.Stdio> =>
  McpServer.layerStdio({ ...options, protocols, registrations: register(tools) }).pipe(discard)

const protocols = [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18] as const

/** The server is for its tools alone. */
const discard = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<never, E, R> => Layer.provide(Layer.empty, layer)

/** The layers that are made of this one say which services it needs. */
const register = (tools: Tools): Layer.Layer<never, never, McpServer.McpServer> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const server = yield* McpServer.McpServer
    const names = new Set<string>()
    for (const tool of tools) {
      const { name } = tool.options
      if (names.has(name)) throw new TypeError(`two tools have the same name: ${name}`)
      names.add(name)
      const client: Model.AnyClient = yield* tool.service
      // `Mcp.tool` has made sure that the service has it.
      const method = tool.service.methods.get(tool.method)!
      const options = withDefaults(tool.options)
      yield* server.addTool({
        tool: ToolCall.describe(method, options),
        annotations: Context.empty(),
        handle: ToolCall.handle(tool.service.key, method, client[method.name]!, options)
      })
    }
  }))

const withDefaults = (options: Mcp.Tool["options"]): ToolCall.Options => ({
  ...options,
  readOnly: options.readOnly ?? true,
  destructive: options.destructive ?? false,
  idempotent: options.idempotent ?? true,
  timeout: options.timeout ?? "1 minute"
})
