import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Model, Serve, ServiceError, Tensor } from "chorale"
import {
  Context,
  Deferred,
  Duration,
  Effect,
  Layer,
  Queue,
  Redacted,
  Schema,
  type Scope,
  Sink,
  Stdio,
  Stream
} from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { createServer } from "node:http"
import * as Mcp from "../src/Mcp.ts"

class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", { page: Schema.Int }, { httpApiStatus: 422 }) {
  override get message() {
    return `page ${this.page} cannot be read`
  }
}

const Line = Schema.Struct({ text: Schema.String, at: Schema.Date }).annotate({ identifier: "Line" })

class Reader extends Model.Service<Reader>()("test/Reader", [
  Rpc.make("read", {
    payload: Schema.Struct({ page: Schema.Int, image: Schema.optionalKey(Schema.Uint8Array) }).annotate({
      description: "Reads a page."
    }),
    success: Schema.Struct({ lines: Schema.Array(Line) }),
    error: Unreadable
  }),
  Rpc.make("title", { success: Schema.String }),
  Rpc.make("draw", { success: Schema.Uint8Array }),
  Rpc.make("embed", { payload: { text: Schema.String }, success: Tensor.schema("float32", [2]) }),
  Rpc.make("words", { payload: { to: Schema.Int }, success: Schema.String, stream: true }),
  Rpc.make("forget", { success: Schema.Void }),
  Rpc.make("full", { success: Schema.Void }),
  Rpc.make("crash", { success: Schema.Void }),
  Rpc.make("wait", { success: Schema.Void }),
  Rpc.make("hidden", { success: Schema.Void })
]) {}

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1, 2, 3)

interface Waiting {
  readonly started: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
}

const readerLive = (waiting: Waiting) =>
  Reader.toLayer({
    read: ({ image, page }) =>
      page > 9
        ? Effect.fail(new Unreadable({ page }))
        : Effect.succeed({ lines: [{ text: `${page}:${image?.length ?? "none"}`, at: new Date(0) }] }),
    title: () => Effect.succeed("a title"),
    draw: () => Effect.succeed(png),
    embed: ({ text }) => Effect.succeed(Tensor.make("float32", [2], Float32Array.of(text.length, 0.5))),
    words: ({ to }) => Stream.map(Stream.range(1, to), (n) => `word ${n}`),
    forget: () => Effect.void,
    full: () => Effect.fail(new ServiceError.Overloaded({ retryAfter: Duration.seconds(1) })),
    crash: () => Effect.die(new Error("a bug in /srv/secret")),
    wait: () =>
      Deferred.succeed(waiting.started, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(waiting.interrupted, undefined))
      ),
    hidden: () => Effect.void
  })

const tools = [
  Mcp.tool(Reader, "read", { title: "Read a page" }),
  Mcp.tool(Reader, "title"),
  Mcp.tool(Reader, "draw"),
  Mcp.tool(Reader, "embed"),
  Mcp.tool(Reader, "words"),
  Mcp.tool(Reader, "forget", { name: "forget", readOnly: false, destructive: true }),
  Mcp.tool(Reader, "full"),
  Mcp.tool(Reader, "crash"),
  Mcp.tool(Reader, "wait", { timeout: "10 seconds" })
] as const

const server = { name: "reader", version: "1.2.3", instructions: "Ask for pages." }

const makeWaiting = Effect.all({ started: Deferred.make<void>(), interrupted: Deferred.make<void>() })

const listen = Effect.fnUntraced(function*(waiting: Waiting, options: Partial<Mcp.HttpOptions> = {}) {
  const token = Redacted.make("secret")
  const routes = Layer.mergeAll(Serve.http([Reader], { token }), Mcp.http(tools, { ...server, ...options }))
  const context = yield* HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(readerLive(waiting)),
    Layer.provideMerge(
      NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 100 })
    ),
    Layer.build
  )
  return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
})

/** A client of the protocol's own authors. */
const connect = (url: string, token = "secret") =>
  Effect.acquireRelease(
    Effect.tryPromise(async () => {
      const client = new Client({ name: "test", version: "0.0.0" })
      const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
        requestInit: { headers: { authorization: `Bearer ${token}` } }
      })
      // The types of the transport were written without exactOptionalPropertyTypes.
      await client.connect(transport as Parameters<typeof client.connect>[0])
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const withClient = (use: (client: Client, waiting: Waiting) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const waiting = yield* makeWaiting
    const client = yield* connect(yield* listen(waiting))
    yield* use(client, waiting)
  })

const call = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.promise(() => client.callTool({ name, arguments: args }))

/** The text of a result that says what went wrong. */
const failureOf = (result: Awaited<ReturnType<Client["callTool"]>>) => {
  assert.isTrue(result.isError)
  const [content] = result.content as ReadonlyArray<{ readonly text: string }>
  return JSON.parse(content?.text ?? "") as {
    readonly _tag: string
    readonly error: string
    readonly [field: string]: unknown
  }
}

describe("Mcp.http, called by the client of the protocol's authors", () => {
  it.live("lists the tools that were chosen, with their schemas", () =>
    withClient(Effect.fnUntraced(function*(client) {
      assert.deepInclude(client.getServerVersion(), { name: "reader", version: "1.2.3" })
      assert.strictEqual(client.getInstructions(), "Ask for pages.")
      const { tools } = yield* Effect.promise(() => client.listTools())
      assert.deepStrictEqual(tools.map(({ name }) => name).toSorted(), [
        "Reader_crash",
        "Reader_draw",
        "Reader_embed",
        "Reader_full",
        "Reader_read",
        "Reader_title",
        "Reader_wait",
        "Reader_words",
        "forget"
      ])
      const read = tools.find(({ name }) => name === "Reader_read")
      assert.strictEqual(read?.description, "Reads a page.")
      assert.strictEqual(read?.title, "Read a page")
      assert.deepStrictEqual(read?.inputSchema.required, ["page"])
      assert.deepInclude(read?.inputSchema.properties?.["page"], { type: "integer" })
      assert.deepStrictEqual(Object.keys(read?.outputSchema ?? {}).toSorted(), [
        "$defs",
        "additionalProperties",
        "properties",
        "required",
        "type"
      ])
      assert.deepInclude(read?.annotations, { readOnlyHint: true, destructiveHint: false, idempotentHint: true })
      const forget = tools.find(({ name }) => name === "forget")
      assert.deepInclude(forget?.annotations, { readOnlyHint: false, destructiveHint: true })
      assert.isUndefined(forget?.outputSchema)
    })))

  it.live("answers structured content that fits its schema, and the same as text", () =>
    withClient(Effect.fnUntraced(function*(client) {
      // The client checks structured content against the schemas it was told.
      yield* Effect.promise(() => client.listTools())
      const image = Buffer.from([1, 2, 3]).toString("base64")
      const lines = [{ text: "7:3", at: "1970-01-01T00:00:00.000Z" }]
      const read = yield* call(client, "Reader_read", { page: 7, image })
      assert.deepStrictEqual(read.structuredContent, { lines })
      assert.deepStrictEqual(read.content, [{ type: "text", text: JSON.stringify({ lines }) }])
      assert.deepStrictEqual((yield* call(client, "Reader_title")).structuredContent, { result: "a title" })
      const words = yield* call(client, "Reader_words", { to: 2 })
      assert.deepStrictEqual(words.structuredContent, { items: ["word 1", "word 2"] })
      const embedded = yield* call(client, "Reader_embed", { text: "abc" })
      const data = Buffer.from(Float32Array.of(3, 0.5).buffer).toString("base64")
      assert.deepStrictEqual(embedded.structuredContent, { dtype: "float32", shape: [2], data })
      assert.deepStrictEqual((yield* call(client, "forget")).content, [])
    })))

  it.live("answers an image as one", () =>
    withClient(Effect.fnUntraced(function*(client) {
      const { content } = yield* call(client, "Reader_draw")
      const data = Buffer.from(png).toString("base64")
      assert.deepStrictEqual(content, [{ type: "image", data, mimeType: "image/png" }])
    })))

  it.live("says what went wrong in a result that a model can read", () =>
    withClient(Effect.fnUntraced(function*(client) {
      yield* Effect.promise(() => client.listTools())
      assert.deepInclude(failureOf(yield* call(client, "Reader_read", { page: 11 })), {
        _tag: "Unreadable",
        error: "page 11 cannot be read",
        page: 11
      })
      const full = failureOf(yield* call(client, "Reader_full"))
      assert.deepInclude(full, { _tag: "Overloaded", service: "test/Reader", method: "full" })
      const wrong = failureOf(yield* call(client, "Reader_read", { page: "one" }))
      assert.strictEqual(wrong._tag, "InvalidPayload")
      assert.include(wrong.error, "page")
      const crash = failureOf(yield* call(client, "Reader_crash"))
      assert.strictEqual(crash._tag, "Defect")
      assert.notInclude(crash.error, "secret")
    })))

  it.live("interrupts a call that is cancelled", () =>
    withClient(Effect.fnUntraced(function*(client, waiting) {
      const controller = new AbortController()
      const waited = client.callTool({ name: "Reader_wait", arguments: {} }, undefined, { signal: controller.signal })
      const ended = waited.then(() => "answered", () => "cancelled")
      yield* Deferred.await(waiting.started)
      controller.abort()
      assert.strictEqual(yield* Effect.promise(() => ended), "cancelled")
      yield* Deferred.await(waiting.interrupted)
    })))

  it.live("asks for the token of the server around it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect(yield* listen(yield* makeWaiting), "wrong"))
      assert.include(String(error.cause), "send the token")
    }))
})

/** Sends a message as no client would that is careful. */
const post = (url: string, body: string, session?: string) =>
  Effect.promise(() =>
    fetch(`${url}/mcp`, {
      method: "POST",
      headers: {
        authorization: "Bearer secret",
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...session === undefined ? {} : { "mcp-session-id": session }
      },
      body
    })
  )

const introduction = (name: string) => {
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name, version: "0" } }
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

describe("Mcp.http, sent what nobody should", () => {
  const begin = Effect.fnUntraced(function*(url: string) {
    const response = yield* post(url, introduction("test"))
    return response.headers.get("mcp-session-id") ?? assert.fail("there is no session")
  })

  it.live("keeps a bounded number of sessions: the one that was used least recently is ended", () =>
    Effect.gen(function*() {
      const url = yield* listen(yield* makeWaiting, { maxSessions: 2 })
      const [first, second] = [yield* begin(url), yield* begin(url)]
      assert.strictEqual((yield* post(url, ping, first)).status, 200)
      const third = yield* begin(url)
      const statuses = yield* Effect.forEach([first, second, third], (id) => post(url, ping, id))
      assert.deepStrictEqual(statuses.map(({ status }) => status), [200, 404, 200])
      assert.strictEqual((yield* post(url, ping, "another")).status, 404)
    }))

  it.live("ends a session that its client wants to end", () =>
    Effect.gen(function*() {
      const url = yield* listen(yield* makeWaiting)
      const session = yield* begin(url)
      const headers = { authorization: "Bearer secret", "mcp-session-id": session }
      const ended = yield* Effect.promise(() => fetch(`${url}/mcp`, { method: "DELETE", headers }))
      assert.strictEqual(ended.status, 204)
      assert.strictEqual((yield* post(url, ping, session)).status, 404)
    }))

  it.live("refuses bodies that are too large or too deep, keys of prototypes, and long introductions", () =>
    Effect.gen(function*() {
      const url = yield* listen(yield* makeWaiting, { maxBodySize: "64 KiB", maxJsonDepth: 8 })
      const session = yield* begin(url)
      const call = (args: string) =>
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Reader_embed","arguments":${args}}}`
      const cases = [
        [200, call(`{"text":"x"}`)],
        [400, call(`{"text":"x","__proto__":{"a":1}}`)],
        [400, call(`{"text":${"[".repeat(9)}${"]".repeat(9)}}`)],
        [413, call(`{"text":"${"x".repeat(70_000)}"}`)],
        [413, introduction("x".repeat(20_000))]
      ] as const
      for (const [status, body] of cases) {
        const response = yield* post(url, body, session)
        assert.strictEqual(response.status, status, body.slice(0, 100))
        const { error } = yield* Effect.promise(() =>
          response.json() as Promise<{ readonly error?: { readonly code: number } }>
        )
        assert.strictEqual(error?.code, status === 200 ? undefined : -32600)
      }
    }))
})

describe("Mcp.layerStdio", () => {
  it.live("answers over standard input and output", () =>
    Effect.gen(function*() {
      const input = yield* Queue.unbounded<Uint8Array>()
      const output = yield* Queue.unbounded<string>()
      const stdio = Stdio.make({
        args: Effect.succeed([]),
        stdin: Stream.fromQueue(input),
        stdout: () =>
          Sink.forEach((line) => Queue.offer(output, typeof line === "string" ? line : Buffer.from(line).toString())),
        stderr: () => Sink.drain
      })
      yield* Mcp.layerStdio(tools, server).pipe(
        Layer.provide(readerLive(yield* makeWaiting)),
        Layer.provide(Layer.succeed(Stdio.Stdio, stdio)),
        // The end of the standard input interrupts whoever runs the server.
        Layer.launch,
        Effect.forkScoped
      )
      const send = (message: object) =>
        Queue.offer(input, Buffer.from(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`))
      const receive = Effect.map(Queue.take(output), (line) =>
        JSON.parse(line) as { readonly id: number; readonly result: any }) // oxlint-disable-line no-explicit-any -- what a server says is looked at below
      const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "0" } }
      yield* send({ id: 1, method: "initialize", params })
      assert.strictEqual((yield* receive).result.serverInfo.name, "reader")
      yield* send({ method: "notifications/initialized" })
      yield* send({ id: 2, method: "tools/call", params: { name: "Reader_title", arguments: {} } })
      assert.deepStrictEqual((yield* receive).result.structuredContent, { result: "a title" })
    }))
})

describe("Mcp.tool", () => {
  it("takes no method that no tool can be", () => {
    class Listener extends Model.Service<Listener>()("test/Listener", [
      Rpc.make("hear", { payload: { sound: Model.streamOf(Schema.Int) }, success: Schema.Void })
    ]) {}
    assert.throws(() => Mcp.tool(Listener, "hear"), "takes a stream")
    assert.throws(() => Mcp.tool(Reader, "title", { name: "a b" }), "a tool has a name")
    // @ts-expect-error the service has no such method
    assert.throws(() => Mcp.tool(Reader, "write"), "no method write")
  })
})
