import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Model, Serve, ServiceError, Tensor } from "chorale"
import { Context, Deferred, Duration, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { createServer } from "node:http"
import { text } from "node:stream/consumers"
import * as Bento from "../src/Bento.ts"
import { answering } from "./fixtures/httpServer.ts"

class OutOfVocabulary extends Schema.TaggedError<OutOfVocabulary>()(
  "OutOfVocabulary",
  { token: Schema.String },
  { httpApiStatus: 422 }
) {}

class Pipeline extends Model.Service<Pipeline>()("demo/Pipeline", [
  Rpc.make("greet", {
    payload: { name: Schema.String, times: Schema.optionalKey(Schema.Int) },
    success: Schema.String,
    error: OutOfVocabulary
  }),
  Rpc.make("classify", {
    payload: { image: Schema.Uint8Array, label: Schema.String, limits: Schema.Struct({ top: Schema.Int }) },
    success: Schema.Struct({ label: Schema.String, bytes: Schema.Int, top: Schema.Int })
  }),
  Rpc.make("album", { payload: { images: Schema.Array(Schema.Uint8Array) }, success: Schema.Array(Schema.Int) }),
  Rpc.make("scale", {
    payload: { x: Tensor.schema("float32", ["rows", 2]), by: Schema.Finite },
    success: Tensor.schema("float32", ["rows", 2])
  }),
  Rpc.make("integers", { payload: { x: Tensor.schema("int64", [2]) }, success: Tensor.schema("int64", [2]) }),
  Rpc.make("flags", { payload: { x: Tensor.schema("bool", ["n"]) }, success: Tensor.schema("bool", ["n"]) }),
  Rpc.make("rotate", { payload: Schema.Uint8Array, success: Schema.Uint8Array }),
  Rpc.make("upper", { payload: Schema.String, success: Schema.String }),
  Rpc.make("norm", { payload: Tensor.schema("float32", [3]), success: Schema.Finite }),
  Rpc.make("words", { payload: { to: Schema.Int }, success: Schema.String, error: OutOfVocabulary, stream: true }),
  Rpc.make("ping", { success: Schema.Void }),
  Rpc.make("full", { success: Schema.Void }),
  Rpc.make("crash", { success: Schema.Void }),
  Rpc.make("wait", { success: Schema.Void })
]) {}

const pipelineLive = (interrupted: Deferred.Deferred<void>) =>
  Pipeline.toLayer({
    greet: ({ name, times }) =>
      name === "zebra"
        ? Effect.fail(new OutOfVocabulary({ token: name }))
        : Effect.succeed(`hello ${name}`.repeat(times ?? 1)),
    classify: ({ image, label, limits }) => Effect.succeed({ label, bytes: image.length, top: limits.top }),
    album: ({ images }) => Effect.succeed(images.map((image) => image.length)),
    scale: ({ by, x }) => Effect.succeed(Tensor.make("float32", x.shape, x.data.map((value) => value * by))),
    integers: ({ x }) => Effect.succeed(x),
    flags: ({ x }) => Effect.succeed(x),
    rotate: (image) => Effect.succeed(image.toReversed()),
    upper: (text) => Effect.succeed(text.toUpperCase()),
    norm: ({ data }) => Effect.succeed(Math.hypot(...data)),
    words: ({ to }) =>
      to < 0
        ? Stream.fail(new OutOfVocabulary({ token: String(to) }))
        : Stream.map(Stream.range(1, to), (word) => `word ${word} `),
    ping: () => Effect.void,
    full: () => Effect.fail(new ServiceError.Overloaded({ retryAfter: Duration.seconds(2) })),
    crash: () => Effect.die(new Error("a bug in /srv/secret")),
    wait: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
  })

/** A server on a free port: its URL, and what is done when the handler of `wait` was interrupted. */
const serve = Effect.fnUntraced(function*(
  options: Bento.HttpOptions = {},
  around: Layer.Layer<never, never, HttpRouter.HttpRouter | Pipeline> = Layer.empty
) {
  const interrupted = yield* Deferred.make<void>()
  const routes = Layer.mergeAll(Bento.http(Pipeline, options), around)
  const context = yield* HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(pipelineLive(interrupted)),
    Layer.provideMerge(
      NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 100 })
    ),
    Layer.build
  )
  return { url: HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address), interrupted }
})

/** The headers that BentoML's client sends with everything. */
const agent = { "user-agent": "BentoML HTTP Client/1.4.38", "accept": "*/*", "accept-encoding": "gzip, deflate" }

const send = (url: string, body: string | Uint8Array<ArrayBuffer> | undefined, contentType = "application/json") =>
  Effect.promise(() =>
    fetch(url, {
      method: "POST",
      headers: { ...agent, "content-type": contentType },
      ...body === undefined ? {} : { body }
    })
  )

const textOf = (response: Response) => Effect.promise(() => response.text())

const json = (response: Response) => Effect.promise(() => response.json() as Promise<Record<string, unknown>>)

/** A form as httpx writes it: fields first, without content type, then files. */
const form = (
  fields: Readonly<Record<string, string>>,
  files: ReadonlyArray<readonly [string, string | undefined, Uint8Array]>
) => {
  const boundary = "0f6e8c2a9b7d4e51a3c8f0e2d1b4a697"
  const parts = [
    ...Object.entries(fields).map(([name, value]) =>
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    ),
    ...files.flatMap(([name, filename, bytes]) => [
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${
          filename === undefined ? "" : `; filename="${filename}"`
        }\r\nContent-Type: image/png\r\n\r\n`
      ),
      bytes,
      Buffer.from("\r\n")
    ]),
    Buffer.from(`--${boundary}--\r\n`)
  ]
  return [Uint8Array.from(Buffer.concat(parts)), `multipart/form-data; boundary=${boundary}`] as const
}

describe("Bento.http, sent what BentoML's client sends", () => {
  it.live("describes its methods as the client reads them", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const schema = yield* Effect.promise(async () => (await fetch(`${url}/schema.json`)).json() as Promise<any>) // oxlint-disable-line no-explicit-any -- JSON that is looked at below
      assert.deepInclude(schema, { name: "Pipeline", type: "service" })
      const route = (name: string) => schema.routes.find((route: { readonly name: string }) => route.name === name)
      assert.deepInclude(route("greet"), { route: "/greet", batchable: false, is_task: false })
      assert.deepInclude(route("greet").input, { type: "object", required: ["name"] })
      assert.deepStrictEqual(Object.keys(route("greet").input.properties), ["name", "times"])
      assert.deepInclude(route("greet").output, { type: "string" })
      assert.deepStrictEqual(route("classify").input.properties.image, { type: "file", format: "binary" })
      assert.deepStrictEqual(route("album").input.properties.images, {
        type: "array",
        items: { type: "file", format: "binary" }
      })
      assert.deepStrictEqual(route("scale").output, { type: "tensor", format: "numpy-array", dtype: "float32" })
      assert.deepStrictEqual(route("norm").input, {
        type: "tensor",
        format: "numpy-array",
        dtype: "float32",
        shape: [3],
        root_input: true
      })
      assert.deepStrictEqual(route("rotate").output, { type: "string", format: "binary" })
      assert.deepInclude(route("words").output, { type: "string", is_stream: true, media_type: "text/event-stream" })
      assert.deepStrictEqual(route("ping").input.properties, {})
      // A client takes an output that is a file for one on disk, and looks for properties unless the input is a root.
      for (const { input } of schema.routes) assert.isTrue(input.root_input === true || "properties" in input)
    }))

  it.live("takes named arguments as JSON, and answers a text as it is", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const response = yield* send(`${url}/greet`, `{"name": "caf\\u00e9", "times": 2}`)
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type")?.split(";")[0], "text/plain")
      assert.strictEqual(yield* textOf(response), "hello caféhello café")
      assert.strictEqual((yield* send(`${url}/ping`, "{}")).status, 200)
      assert.strictEqual((yield* send(`${url}/ping`, undefined)).status, 200)
    }))

  it.live("takes files as a form whose other fields are JSON", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const image = Uint8Array.of(0x89, 0x50, 13, 10, 45, 45)
      for (const filename of ["a.png", undefined]) {
        const sent = form({ label: `"a \\"cat\\""`, limits: `{"top": 3}` }, [["image", filename, image]])
        const answer = yield* json(yield* send(`${url}/classify`, ...sent))
        assert.deepStrictEqual(answer, { label: `a "cat"`, bytes: 6, top: 3 })
      }
      const several = form({}, [["images", "a.png", image], ["images", "b.png", Uint8Array.of(1)]])
      assert.strictEqual(yield* textOf(yield* send(`${url}/album`, ...several)), "[6,1]")
      const single = form({}, [["images", "a.png", image]])
      assert.strictEqual(yield* textOf(yield* send(`${url}/album`, ...single)), "[6]")
      const fetched = form({ image: `http://127.0.0.1:1/a.png`, label: `"a"`, limits: `{"top": 3}` }, [])
      // An address in place of a file is its bytes: no address is fetched.
      assert.strictEqual((yield* json(yield* send(`${url}/classify`, ...fetched)))["bytes"], 24)
    }))

  it.live("takes and answers tensors as nested lists", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const scaled = yield* send(`${url}/scale`, `{"x": [[1.0, 2.5], [-3, null]], "by": 2}`)
      assert.strictEqual(yield* textOf(scaled), "[[2,5],[-6,null]]")
      assert.strictEqual(yield* textOf(yield* send(`${url}/integers`, `{"x": [7, -8]}`)), "[7,-8]")
      assert.strictEqual(yield* textOf(yield* send(`${url}/flags`, `{"x": [true, false]}`)), "[true,false]")
      assert.strictEqual(yield* textOf(yield* send(`${url}/flags`, `{"x": []}`)), "[]")
      for (const x of ["[[1, 2], [3]]", "[[1, 2, 3]]", "[1, 2]", `[["a", 1]]`, "[[[1, 2]]]", "7", `"x"`]) {
        const refused = yield* send(`${url}/scale`, `{"x": ${x}, "by": 2}`)
        assert.strictEqual(refused.status, 400, x)
      }
      for (const x of ["[1.5, 2]", "[1e300, 2]", "[9223372036854775808, 2]", "[[0, 0, 0], [], []]"]) {
        assert.strictEqual((yield* send(`${url}/integers`, `{"x": ${x}}`)).status, 400, x)
      }
    }))

  it.live("takes the one argument of a method that has no names for it", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const rotated = yield* send(`${url}/rotate`, Uint8Array.of(1, 2, 3), "image/png")
      assert.deepStrictEqual(Array.from(new Uint8Array(yield* Effect.promise(() => rotated.arrayBuffer()))), [3, 2, 1])
      assert.strictEqual(yield* textOf(yield* send(`${url}/upper`, "abc", "text/plain")), "ABC")
      assert.strictEqual(yield* textOf(yield* send(`${url}/norm`, "[2.0, 3.0, 6.0]")), "7")
    }))

  it.live("streams the items one after another, and nothing else", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      const response = yield* send(`${url}/words`, `{"to": 3}`)
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.strictEqual(yield* textOf(response), "word 1 word 2 word 3 ")
      const failed = yield* send(`${url}/words`, `{"to": -1}`)
      assert.strictEqual(failed.status, 422)
      assert.deepInclude(yield* json(failed), { _tag: "OutOfVocabulary", token: "-1" })
    }))

  it.live("says what is wrong by the status and an error", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ timeout: "300 millis", maxBodySize: "1 KiB" })
      const cases = [
        ["greet", `{"name": "zebra"}`, "application/json", 422, "OutOfVocabulary"],
        ["greet", `{"name": 7}`, "application/json", 400, "InvalidPayload"],
        ["greet", `{"name": `, "application/json", 400, "InvalidPayload"],
        ["greet", "", "application/vnd.bentoml+pickle", 415, "UnsupportedMediaType"],
        ["greet", `{"name": "${"x".repeat(2000)}"}`, "application/json", 413, "PayloadTooLarge"],
        ["classify", "no form", "multipart/form-data; boundary=b", 400, "InvalidPayload"],
        ["full", "{}", "application/json", 429, "Overloaded"],
        ["crash", "{}", "application/json", 500, "Defect"],
        ["wait", "{}", "application/json", 504, "DeadlineExceeded"]
      ] as const
      for (const [method, body, contentType, status, tag] of cases) {
        const response = yield* send(`${url}/${method}`, body, contentType)
        assert.strictEqual(response.status, status, `${method} ${body.slice(0, 20)}`)
        const answer = yield* json(response)
        assert.strictEqual(answer["_tag"], tag)
        assert.isString(answer["error"])
        assert.notInclude(answer["error"], "secret")
        if (status === 400) assert.isArray(answer["detail"])
        if (status === 429) assert.strictEqual(response.headers.get("retry-after"), "2")
      }
    }))

  it.live("interrupts the call of a client that hangs up", () =>
    Effect.gen(function*() {
      const { interrupted, url } = yield* serve()
      const signal = AbortSignal.timeout(100)
      yield* Effect.promise(() => fetch(`${url}/wait`, { method: "POST", body: "{}", signal }).catch(() => undefined))
      yield* Deferred.await(interrupted)
    }))

  it.live("is ready where it stands alone, and beside Serve.http with its token and its health", () =>
    Effect.gen(function*() {
      const alone = yield* serve({ health: true, name: "Demo" })
      for (const path of ["/livez", "/healthz", "/readyz"]) {
        const response = yield* Effect.promise(() => fetch(`${alone.url}${path}`))
        assert.deepStrictEqual([response.status, yield* textOf(response)], [200, "\n"])
      }
      const beside = yield* serve({}, Serve.http([Pipeline], { token: Redacted.make("secret") }))
      assert.strictEqual((yield* Effect.promise(() => fetch(`${beside.url}/readyz`))).status, 200)
      assert.strictEqual((yield* send(`${beside.url}/ping`, "{}")).status, 401)
      const headers = { authorization: "Bearer secret" }
      assert.strictEqual((yield* Effect.promise(() => fetch(`${beside.url}/schema.json`, { headers }))).status, 200)
    }))
})

class Sentence extends Schema.TaggedError<Sentence>()("Sentence", { reason: Schema.String }, { httpApiStatus: 409 }) {}

class Remote extends Model.Service<Remote>()("demo/Remote", [
  Rpc.make("greet", {
    payload: { name: Schema.String },
    success: Schema.String,
    error: Schema.Union([OutOfVocabulary, Sentence])
  })
]) {}

/** What BentoML 1.4 says of a service with one method. */
const described = {
  name: "Remote",
  type: "service",
  routes: [{
    name: "greet",
    route: "/greet",
    batchable: false,
    input: {
      properties: { name: { title: "Name", type: "string" } },
      required: ["name"],
      title: "Input",
      type: "object"
    },
    output: { title: "strIODescriptor", type: "string" },
    is_task: false
  }]
}

/** A server that answers as it was recorded: its description, and the same to every call. */
const recorded = (status: number, body: string, description: unknown = described, seen: Array<unknown> = []) =>
  answering((request, response) => {
    if (request.url === "/schema.json") return response.end(JSON.stringify(description))
    return void text(request).then((sent) => {
      seen.push([request.method, request.url, request.headers["content-type"], request.headers["authorization"], sent])
      response.writeHead(status, { "content-type": "application/json", "retry-after": "3" }).end(body)
    })
  })

const greet = (url: string, options: Omit<Bento.LayerOptions<"greet">, "url"> = {}) =>
  Effect.flatMap(Remote, (remote) => remote.greet({ name: "x" })).pipe(
    Effect.provide(Bento.layer(Remote, { url, ...options })),
    Effect.provide(NodeHttpClient.layerUndici)
  )

describe("Bento.layer", () => {
  it.live("sends what BentoML's server reads", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const url = yield* recorded(200, "hello x", described, seen)
      assert.strictEqual(yield* greet(url, { token: Redacted.make("secret") }), "hello x")
      assert.deepStrictEqual(seen, [["POST", "/greet", "application/json", "Bearer secret", `{"name":"x"}`]])
    }))

  it.live("sends files in a form, and everything else of it as JSON", () =>
    Effect.gen(function*() {
      class Classifier extends Model.Service<Classifier>()("demo/Classifier", [
        Rpc.make("classify", { payload: { image: Schema.Uint8Array, label: Schema.String }, success: Schema.Int })
      ]) {}
      const input = { properties: { image: { type: "file", format: "image" }, label: { type: "string" } } }
      const routes = [{ name: "classify", route: "/classify", input, output: { type: "integer" } }]
      const seen: Array<unknown> = []
      const url = yield* recorded(200, "7", { routes }, seen)
      const answer = yield* Effect.flatMap(
        Classifier,
        (classifier) => classifier.classify({ image: Uint8Array.of(97, 98), label: "a" })
      ).pipe(Effect.provide(Layer.provide(Bento.layer(Classifier, { url }), NodeHttpClient.layerUndici)))
      assert.strictEqual(answer, 7)
      const [, , contentType, , body] = seen[0] as ReadonlyArray<string>
      assert.match(contentType ?? "", /^multipart\/form-data; boundary=/)
      assert.match(body ?? "", /name="label"\r\n\r\n"a"\r\n/)
      assert.match(body ?? "", /name="image"; filename="image"\r\n(content-type: [^\r]*\r\n)?\r\nab\r\n/i)
    }))

  it.live("answers what the service would that the server has", () =>
    Effect.gen(function*() {
      const { url } = yield* serve()
      yield* Effect.gen(function*() {
        const pipeline = yield* Pipeline
        assert.strictEqual(yield* pipeline.greet({ name: "x", times: 2 }), "hello xhello x")
        const image = Uint8Array.of(1, 2, 3)
        assert.deepStrictEqual(yield* pipeline.classify({ image, label: `a "cat"`, limits: { top: 3 } }), {
          label: `a "cat"`,
          bytes: 3,
          top: 3
        })
        assert.deepStrictEqual(yield* pipeline.album({ images: [image, image] }), [3, 3])
        const x = Tensor.make("float32", [2, 2], Float32Array.of(1, 2, 3, 0.1))
        assert.deepStrictEqual(yield* pipeline.scale({ x, by: 2 }), {
          dtype: "float32",
          shape: [2, 2],
          data: Float32Array.of(2, 4, 6, 0.2)
        })
        const integers = Tensor.make("int64", [2], BigInt64Array.of(7n, -8n))
        assert.deepStrictEqual(yield* pipeline.integers({ x: integers }), integers)
        const empty = Tensor.zeros("bool", [0])
        assert.deepStrictEqual(yield* pipeline.flags({ x: empty }), empty)
        assert.deepStrictEqual(Array.from(yield* pipeline.rotate(image)), [3, 2, 1])
        assert.strictEqual(yield* pipeline.upper("abc"), "ABC")
        assert.strictEqual(yield* pipeline.norm(Tensor.make("float32", [3], Float32Array.of(2, 3, 6))), 7)
        assert.strictEqual((yield* Stream.runCollect(pipeline.words({ to: 2 }))).join(""), "word 1 word 2 ")
        assert.isUndefined(yield* pipeline.ping())
        const declared = yield* Effect.flip(pipeline.greet({ name: "zebra" }))
        assert.instanceOf(declared, OutOfVocabulary)
        assert.strictEqual(declared.token, "zebra")
        assert.instanceOf(yield* Effect.flip(Stream.runDrain(pipeline.words({ to: -1 }))), OutOfVocabulary)
      }).pipe(Effect.provide(Bento.layer(Pipeline, { url })), Effect.provide(NodeHttpClient.layerUndici))
    }))

  it.live("recognises a declared error by its status and its body, in both shapes of BentoML's", () =>
    Effect.gen(function*() {
      for (const body of [`{"error":"unknown","token":"zebra"}`, `[{"error":"unknown","token":"zebra"}]`]) {
        const error = yield* Effect.flip(greet(yield* recorded(422, body)))
        assert.instanceOf(error, OutOfVocabulary)
        assert.strictEqual(error.token, "zebra")
      }
      const sentence = yield* Effect.flip(greet(yield* recorded(409, `[{"error":"taken"}]`)))
      assert.instanceOf(sentence, Sentence)
      assert.strictEqual(sentence.reason, "taken")
    }))

  it.live("tells by the status what any other refusal means", () =>
    Effect.gen(function*() {
      const cases = [
        [400, `{"error":"1 validation error","detail":[]}`, "InvalidPayload"],
        [401, `{"error":"Authorization error"}`, "ContractMismatch"],
        [404, "Not Found", "ContractMismatch"],
        [429, `{"error":"Too many requests"}`, "Overloaded"],
        [500, `{"error":"An unexpected error has occurred, please check the server log."}`, "Unavailable"],
        [503, `{"error":"process is overloaded"}`, "Unavailable"],
        [504, `{"error":"Not able to process the request in 60 seconds"}`, "DeadlineExceeded"]
      ] as const
      for (const [status, body, tag] of cases) {
        const error = yield* Effect.flip(greet(yield* recorded(status, body)))
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.deepStrictEqual([error.method, error.reason._tag], ["greet", tag], String(status))
        if (error.reason._tag === "Overloaded") assert.strictEqual(Duration.toSeconds(error.reason.retryAfter), 3)
      }
    }))

  it.live("is not built where the server is not the one of the contract", () =>
    Effect.gen(function*() {
      const [route] = described.routes
      const variants = [
        [{ ...route, name: "other" }, "there is none of this name; the server has other"],
        [{ ...route, is_task: true }, "it is a task"],
        [{ ...route, output: { type: "string", is_stream: true } }, "it answers a stream"],
        [{ ...route, input: { type: "string", root_input: true } }, "one argument without a name"],
        [{ ...route, input: { properties: {}, required: [] } }, "it takes no name"],
        [{ ...route, input: { properties: { name: {}, age: {} }, required: ["name", "age"] } }, "it requires age"],
        [{ ...route, input: { properties: { name: { type: "integer" } } } }, "it takes number as name, not string"],
        [{ ...route, input: { properties: { name: { type: "file" } } } }, "it takes file as name, not string"],
        [{ ...route, output: { type: "object" } }, "it answers object, not string"]
      ] as const
      for (const [route, message] of variants) {
        const url = yield* recorded(200, "hello", { ...described, routes: [route] })
        const error = yield* Effect.flip(greet(url))
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.strictEqual(error.reason._tag, "ContractMismatch")
        assert.include(error.message, message)
      }
      class Tensors extends Model.Service<Tensors>()("demo/Tensors", [
        Rpc.make("scale", { payload: { x: Tensor.schema("float32", ["n"]) }, success: Tensor.schema("bool", ["n"]) })
      ]) {}
      const build = (x: object, output: object) =>
        Effect.flatMap(
          recorded(200, "[]", { routes: [{ name: "scale", route: "/scale", input: { properties: { x } }, output }] }),
          (url) => Layer.build(Layer.provide(Bento.layer(Tensors, { url }), NodeHttpClient.layerUndici))
        )
      yield* build({ type: "tensor", dtype: "float32" }, { type: "tensor", dtype: "bool_" })
      // What a server leaves open, and lists of numbers, may be tensors.
      yield* build({ type: "tensor" }, { type: "array", items: { type: "boolean" } })
      yield* build({}, { anyOf: [{ type: "object" }, { type: "null" }] })
      for (
        const [x, output, message] of [
          [{ type: "tensor", dtype: "float64" }, {}, "it takes tensor float64 as x, not tensor float32"],
          [{ type: "object" }, {}, "it takes object as x, not tensor float32"],
          [{}, { type: "string" }, "it answers string, not tensor bool"]
        ] as const
      ) assert.include((yield* Effect.flip(build(x, output))).message, message)
      const renamed = yield* recorded(200, "hello", { ...described, routes: [{ ...route, name: "other" }] })
      assert.strictEqual(yield* greet(renamed, { apis: { greet: "other" } }), "hello")
      const gone = yield* Effect.flip(greet("http://127.0.0.1:1"))
      assert.instanceOf(gone, ServiceError.ServiceError)
      assert.strictEqual(gone.reason._tag, "Unavailable")
      const page = yield* answering((_, response) => response.end("<html>"))
      const error = yield* Effect.flip(greet(page))
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.reason._tag, "ContractMismatch")
    }))
})
