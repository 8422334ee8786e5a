/**
 * Methods of services as tools of the Model Context Protocol.
 *
 * A language model that speaks MCP can call the methods that a program chooses,
 * over HTTP beside the other routes of a server, or over standard input and
 * output.
 *
 * @since 0.2.0
 */
import { type ByteSize, type Cause, type Duration, Effect, Layer, type Stdio } from "effect"
import type { HttpRouter } from "effect/http"
import type { Rpc } from "effect/rpc"
import { streamFields } from "./internal/payloadStream.ts"
import type * as Model from "./Model.ts"

/**
 * A method that is a tool, and what clients are told of it.
 *
 * @category models
 * @since 0.2.0
 */
export interface Tool<out Service extends Model.Any = Model.Any> {
  readonly service: Service
  readonly method: string
  readonly options: ToolOptions & { readonly name: string }
}

/**
 * What clients are told of a tool. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface ToolOptions {
  /** The last part of the service's name and the method: `Ocr_read`. */
  readonly name?: string | undefined
  /** What people see. */
  readonly title?: string | undefined
  /** What the language model reads to choose the tool: the `description` of the payload's schema. */
  readonly description?: string | undefined
  /** Whether a call changes nothing: it does not, as a model that computes an answer. */
  readonly readOnly?: boolean | undefined
  /** Whether a call may destroy something, where it is not `readOnly`: no. */
  readonly destructive?: boolean | undefined
  /** Whether the same call again changes nothing more: so it is. */
  readonly idempotent?: boolean | undefined
  /** What a result of bytes is, such as `image/png`: what the bytes say of themselves. */
  readonly mediaType?: string | undefined
  /** What a call is given: a minute. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Says that a method is a tool.
 *
 * Throws a `TypeError` for a method with a stream in its payload, which no tool can have.
 *
 * @category constructors
 * @since 0.2.0
 */
export const tool = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>,
  method: Rpcs["_tag"],
  options: ToolOptions = {}
): Tool<Model.ServiceClass<Self, Name, Rpcs>> => {
  const { payload } = definitionOf(service, method)
  if (streamFields(payload).size > 0) throw new TypeError(`${service.key}.${method} takes a stream, so it is no tool`)
  const name = options.name ?? `${service.key.split("/").at(-1)}_${method}`
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new TypeError(
      `a tool has a name of at most 64 letters, digits, "_", "-" and ".", not ${JSON.stringify(name)}`
    )
  }
  return { service, method, options: { ...options, name } }
}

/**
 * What a server of tools says of itself.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options {
  readonly name: string
  readonly version: string
  /** What a language model should know of the server before it chooses a tool. */
  readonly instructions?: string | undefined
}

/**
 * What a server of tools over HTTP is called and takes.
 *
 * @category models
 * @since 0.3.0
 */
export interface HttpOptions extends Options {
  /** Where it is: at `/mcp`. */
  readonly path?: `/${string}` | undefined
  /** The web pages that may call, by their origins: none. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
  /** The largest body: 32 MiB. What is larger is refused with 413. */
  readonly maxBodySize?: ByteSize.Input | undefined
  /** How deeply JSON may nest: 64 levels. */
  readonly maxJsonDepth?: number | undefined
  /** How many sessions there may be at a time: 4096. With one more, the one that was used least recently is ended. */
  readonly maxSessions?: number | undefined
}

/**
 * Serves tools over HTTP, at `/mcp` unless `path` is another.
 *
 * The schema of the arguments is that of the payload in JSON, tensors and bytes in base64. A result is structured
 * content and the same as text; one that is no object is its field `result`, the items of a stream are its field
 * `items`. A result of bytes is an image or a sound where it is one, and otherwise a resource. A declared error and a
 * `ServiceError` are results with `isError`, whose text is `{ "_tag", "error", ...fields }` as in `Serve.http`; so are
 * arguments that do not fit. A defect says nothing of its cause, which is logged. Cancelling a request interrupts the
 * call.
 *
 * A body that is too large is 413, one that nests too deeply or names a prototype 400, both as an error of JSON-RPC. A
 * client that comes back after its session was ended is answered 404, upon which it begins a new one.
 *
 * **Gotchas**
 *
 * A web page may call only if `allowedOrigins` has its origin. The token and the metrics of a server come from
 * `Serve.http`, whose routes are merged with this one.
 *
 * **Example** (One method as a tool)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Mcp, Model, Serve } from "chorale"
 * import { Effect, Layer, Schema } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Rpc } from "effect/rpc"
 * import { createServer } from "node:http"
 *
 * class Ocr extends Model.Service<Ocr>()("Ocr", [
 *   Rpc.make("read", { payload: { image: Schema.Uint8Array }, success: Schema.Array(Schema.String) })
 * ]) {}
 *
 * const Routes = Layer.mergeAll(
 *   Serve.http([Ocr]),
 *   Mcp.http([Mcp.tool(Ocr, "read", { description: "Reads the lines of text in an image." })], {
 *     name: "ocr",
 *     version: "1.0.0"
 *   })
 * )
 *
 * export const Server = HttpRouter.serve(Routes, { disableLogger: true }).pipe(
 *   Layer.provide(Ocr.toLayer({ read: () => Effect.succeed(["text"]) })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 3000 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const http = <const Tools extends readonly [Tool, ...ReadonlyArray<Tool>]>(
  tools: Tools,
  options: HttpOptions
): Layer.Layer<never, Cause.IllegalArgumentError, HttpRouter.HttpRouter | ServicesOf<Tools>> =>
  Layer.unwrap(Effect.map(loadServer, ({ http }) => http(tools, options)))

/**
 * Serves tools over standard input and output, for clients that start the program themselves.
 *
 * Nothing else may write to the standard output; `Logger.LogToStderr` sends logs elsewhere. Results and failures are those of
 * `http`. When the standard input ends, the fiber that built the layer is interrupted, which ends the program.
 *
 * **Example** (A program that a client starts)
 *
 * ```ts
 * import { NodeRuntime, NodeStdio } from "@effect/platform-node"
 * import { Mcp, Model } from "chorale"
 * import { Effect, Layer, Logger, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * Mcp.layerStdio([Mcp.tool(Reader, "read")], { name: "reader", version: "1.0.0" }).pipe(
 *   Layer.provide(Reader.toLayer({ read: () => Effect.succeed("text") })),
 *   Layer.provide([NodeStdio.layer, Layer.succeed(Logger.LogToStderr, true)]),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layerStdio = <const Tools extends readonly [Tool, ...ReadonlyArray<Tool>]>(
  tools: Tools,
  options: Options
): Layer.Layer<never, Cause.IllegalArgumentError, Stdio.Stdio | ServicesOf<Tools>> =>
  Layer.unwrap(Effect.map(loadServer, ({ stdio }) => stdio(tools, options)))

type ServicesOf<Tools extends ReadonlyArray<Tool>> = Model.Identifier<Tools[number]["service"]>

// A program that serves no tools does not pay for the server.
const loadServer = Effect.promise(() => import("./mcp/server.ts"))

const definitionOf = (service: Model.Any, method: string): Model.Definition => {
  const definition = service.methods.get(method)
  if (definition === undefined) throw new TypeError(`${service.key} has no method ${method}`)
  return definition
}
