import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, Serve, ServiceError, Tensor } from "chorale"
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { EmbeddingModel } from "effect/ai"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { createServer } from "node:http"
import { text } from "node:stream/consumers"
import Client, { APIError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from "openai"
import * as OpenAi from "../src/OpenAi.ts"
import { answering } from "./fixtures/httpServer.ts"

class TooLong extends Schema.TaggedError<TooLong>()("TooLong", { limit: Schema.Int }, { httpApiStatus: 422 }) {
  override get message() {
    return `a text has more than ${this.limit} characters`
  }
}

class One extends Model.Service<One>()("test/One", [
  Rpc.make("embed", {
    payload: { text: Schema.NonEmptyString },
    success: Tensor.schema("float32", [3]),
    error: TooLong
  })
]) {}

class Many extends Model.Service<Many>()("test/Many", [
  Rpc.make("embed", {
    payload: { texts: Schema.Array(Schema.String) },
    success: Tensor.schema("float32", ["texts", 3])
  })
]) {}

/** A vector by which its text can be told, with numbers that base64 alone carries exactly. */
const vector = (text: string) => Float32Array.of(text.length, 0.1, text.charCodeAt(0) / 7)

const OneLive = One.toLayer({
  embed: ({ text }) => {
    if (text === "bug") return Effect.die(new Error("a bug in /srv/secret"))
    if (text === "full") return Effect.fail(new ServiceError.Overloaded({ retryAfter: Duration.millis(1500) }))
    if (text === "never") return Effect.never
    return text.length > 10
      ? Effect.fail(new TooLong({ limit: 10 }))
      : Effect.succeed(Tensor.make("float32", [3], vector(text)))
  }
})

const ManyLive = Many.toLayer({
  embed: ({ texts }) => {
    const data = new Float32Array(texts.length * 3)
    texts.forEach((text, row) => data.set(vector(text), row * 3))
    return Effect.succeed(Tensor.make("float32", [texts.length, 3], data))
  }
})

const one = OpenAi.embedder(One, "embed", { model: "one" })
const many = OpenAi.embedder(Many, "embed", { model: "lab/many" })

const token = Redacted.make("secret")

/** A server of both embedders on a free port, its URL with `/v1`. */
const serve = Effect.fnUntraced(function*(options: OpenAi.HttpOptions = {}) {
  const routes = Layer.mergeAll(Serve.http([One, Many], { token }), OpenAi.http([one, many], options))
  const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide([OneLive, ManyLive]),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 100 }))
  )
  const context = yield* Layer.build(server)
  return `${HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)}/v1`
})

const clientOf = (baseURL: string) => new Client({ baseURL, apiKey: "secret", maxRetries: 0 })

const failure = (promise: () => Promise<unknown>) =>
  Effect.tryPromise({ try: promise, catch: (error) => error as APIError }).pipe(
    Effect.flip
  )

describe("OpenAi.http, called by OpenAI's own client", () => {
  it.live("embeds a text, and texts in their order", () =>
    Effect.gen(function*() {
      const client = clientOf(yield* serve())
      for (const model of ["one", "lab/many"]) {
        const single = yield* Effect.promise(() => client.embeddings.create({ model, input: "hello" }))
        assert.deepStrictEqual(single.data.map(({ embedding }) => Float32Array.from(embedding)), [vector("hello")])
        assert.strictEqual(single.model, model)
        const input = ["a", "bb", "ccc", "dddd"]
        const several = yield* Effect.promise(() => client.embeddings.create({ model, input }))
        assert.deepStrictEqual(several.data.map(({ index }) => index), [0, 1, 2, 3])
        assert.deepStrictEqual(several.data.map(({ embedding }) => Float32Array.from(embedding)), input.map(vector))
      }
    }))

  it.live("answers numbers to who asks for numbers, and base64 to who asks for that", () =>
    Effect.gen(function*() {
      const client = clientOf(yield* serve())
      const create = (encoding_format: "float" | "base64") =>
        Effect.promise(() => client.embeddings.create({ model: "one", input: "hello", encoding_format }))
      assert.deepStrictEqual((yield* create("float")).data[0]?.embedding, Array.from(vector("hello")))
      const base64 = (yield* create("base64")).data[0]?.embedding as unknown
      assert.strictEqual(base64, Buffer.from(vector("hello").buffer).toString("base64"))
    }))

  it.live("counts tokens as it is told to, and otherwise none", () =>
    Effect.gen(function*() {
      const input = ["a b", "c"]
      const usage = (url: string) =>
        Effect.promise(() => clientOf(url).embeddings.create({ model: "one", input })).pipe(Effect.map((r) => r.usage))
      const words = yield* serve({ countTokens: (text) => text.split(" ").length })
      assert.deepStrictEqual(yield* usage(words), { prompt_tokens: 3, total_tokens: 3 })
      assert.deepStrictEqual(yield* usage(yield* serve()), { prompt_tokens: 0, total_tokens: 0 })
    }))

  it.live("lists its models", () =>
    Effect.gen(function*() {
      const client = clientOf(yield* serve())
      const page = yield* Effect.promise(() => client.models.list())
      assert.deepStrictEqual(page.data.map(({ id }) => id), ["one", "lab/many"])
      const model = yield* Effect.promise(() => client.models.retrieve("lab/many"))
      assert.deepStrictEqual([model.id, model.owned_by], ["lab/many", "test/Many"])
      const error = yield* failure(() => client.models.retrieve("other"))
      assert.instanceOf(error, NotFoundError)
    }))

  it.live("says in OpenAI's words what is wrong", () =>
    Effect.gen(function*() {
      const client = clientOf(yield* serve({ maxInputs: 3, timeout: "300 millis" }))
      const create = (body: object) => failure(() => client.embeddings.create({ model: "one", input: "x", ...body }))
      const cases = [
        [{ model: "gpt" }, 404, "model_not_found", "this server has one, lab/many"],
        [{ input: [] }, 400, "InvalidPayload", "input is empty"],
        [{ input: ["a", "b", "c", "d"] }, 400, "InvalidPayload", "takes 3 at a time"],
        [{ input: [1, 2] }, 400, "InvalidPayload", "no tokens"],
        [{ input: [[1, 2]] }, 400, "InvalidPayload", "no tokens"],
        [{ input: 7 }, 400, "InvalidPayload", "input"],
        [{ input: "" }, 400, "InvalidPayload", "text"],
        [{ dimensions: 2 }, 400, "InvalidPayload", "one has 3 dimensions, not 2"],
        [{ input: "a text that is too long" }, 422, "TooLong", "more than 10 characters"],
        [{ input: "full" }, 429, "Overloaded", "limit"],
        [{ input: "never" }, 504, "DeadlineExceeded", "deadline"],
        [{ input: "bug" }, 500, "Defect", "log of the server"]
      ] as const
      for (const [body, status, code, message] of cases) {
        const error = yield* create(body)
        assert.instanceOf(error, APIError)
        assert.deepStrictEqual([error.status, error.code], [status, code])
        assert.include(error.message, message)
        assert.notInclude(error.message, "secret")
      }
      assert.instanceOf(yield* create({ input: "full" }), RateLimitError)
      assert.strictEqual((yield* create({ input: "full" })).headers?.get("retry-after"), "2")
      assert.instanceOf(yield* create({ input: [] }), BadRequestError)
      assert.strictEqual((yield* create({ input: [] })).type, "invalid_request_error")
    }))

  it.live("asks for the token of the server around it", () =>
    Effect.gen(function*() {
      const client = new Client({ baseURL: yield* serve(), apiKey: "wrong", maxRetries: 0 })
      const error = yield* failure(() => client.embeddings.create({ model: "one", input: "x" }))
      assert.instanceOf(error, AuthenticationError)
    }))

  it.live("refuses a body over its limit", () =>
    Effect.gen(function*() {
      const client = clientOf(yield* serve({ maxBodySize: "1 KiB" }))
      const error = yield* failure(() => client.embeddings.create({ model: "lab/many", input: "x".repeat(2000) }))
      assert.deepStrictEqual([error.status, error.code], [413, "PayloadTooLarge"])
    }))
})

describe("OpenAi.embedder", () => {
  it("takes no method that turns no texts into vectors", () => {
    class Other extends Model.Service<Other>()("test/Other", [
      Rpc.make("image", { payload: { image: Schema.Uint8Array }, success: Tensor.schema("float32", [3]) }),
      Rpc.make("two", { payload: { a: Schema.String, b: Schema.String }, success: Tensor.schema("float32", [3]) }),
      Rpc.make("double", { payload: { text: Schema.String }, success: Tensor.schema("float64", [3]) })
    ]) {}
    // @ts-expect-error its payload is no text
    assert.throws(() => OpenAi.embedder(Other, "image", { model: "m" }), "test/Other.image is no embedder")
    // @ts-expect-error its result is of another dtype
    assert.throws(() => OpenAi.embedder(Other, "double", { model: "m" }), "is no embedder")
    assert.throws(() => OpenAi.embedder(Other, "two", { model: "m" }), "is no embedder")
  })

  it("knows the dimensions of its contract", () => {
    assert.strictEqual(OpenAi.embedder(One, "embed", { model: "m" }).dimensions, 3)
  })
})

const remoteOne = (url: string) => OpenAi.layerEmbeddings(one, { url, apiKey: token })

describe("OpenAi.layerEmbeddings", () => {
  it.live("answers what the service would that the server has", () =>
    Effect.gen(function*() {
      const url = yield* serve()
      yield* Effect.gen(function*() {
        const one = yield* One
        const many = yield* Many
        assert.deepStrictEqual(yield* one.embed({ text: "hello" }), Tensor.make("float32", [3], vector("hello")))
        const { data, shape } = yield* many.embed({ texts: ["a", "bb"] })
        assert.deepStrictEqual(shape, [2, 3])
        assert.deepStrictEqual(Array.from(data), [...vector("a"), ...vector("bb")])
      }).pipe(
        Effect.provide([remoteOne(url), OpenAi.layerEmbeddings(many, { url, apiKey: token })]),
        Effect.provide(NodeHttpClient.layerUndici)
      )
    }))

  it.live("sends what OpenAI asks for", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const url = yield* answering((request, response) =>
        void text(request).then((body) => {
          const { authorization, "content-type": contentType } = request.headers
          seen.push([request.method, request.url, authorization, contentType, JSON.parse(body)])
          // Some servers send numbers whatever they are asked for, and not always in order.
          const data = [{ index: 1, embedding: [4, 5, 6] }, { index: 0, embedding: [1, 2, 3] }]
          response.end(JSON.stringify({ object: "list", data, model: "m", usage: {} }))
        })
      )
      const layer = OpenAi.layerEmbeddings(many, { url: `${url}/v1/`, apiKey: token, model: "m", dimensions: 3 })
      const { data } = yield* Effect.flatMap(Many, (many) => many.embed({ texts: ["a", "b"] })).pipe(
        Effect.provide(layer),
        Effect.provide(NodeHttpClient.layerUndici)
      )
      assert.deepStrictEqual(Array.from(data), [1, 2, 3, 4, 5, 6])
      assert.deepStrictEqual(seen, [[
        "POST",
        "/v1/embeddings",
        "Bearer secret",
        "application/json",
        { input: ["a", "b"], model: "m", encoding_format: "base64", dimensions: 3 }
      ]])
    }))

  const reasonOf = (url: string) =>
    Effect.flatMap(One, (one) => Effect.flip(one.embed({ text: "x" }))).pipe(
      Effect.provide(remoteOne(url)),
      Effect.provide(NodeHttpClient.layerUndici),
      Effect.map((error) => {
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.deepStrictEqual([error.service, error.method], ["test/One", "embed"])
        return error.reason
      })
    )

  it.live("tells what a refusal means, with the words of the server", () =>
    Effect.gen(function*() {
      for (
        const [status, tag] of [
          [400, "InvalidPayload"],
          [401, "ContractMismatch"],
          [404, "ContractMismatch"],
          [413, "InvalidPayload"],
          [422, "InvalidPayload"],
          [429, "Overloaded"],
          [500, "Unavailable"],
          [503, "Unavailable"],
          [504, "DeadlineExceeded"]
        ] as const
      ) {
        const url = yield* answering((_, response) =>
          response.writeHead(status, { "retry-after": "7" }).end(JSON.stringify({ error: { message: "why not" } }))
        )
        const reason = yield* reasonOf(url)
        assert.strictEqual(reason._tag, tag, String(status))
        if (reason._tag === "Overloaded") assert.strictEqual(Duration.toSeconds(reason.retryAfter), 7)
        else if (reason._tag !== "DeadlineExceeded") assert.include(reason.message, "why not")
      }
      assert.strictEqual((yield* reasonOf("http://127.0.0.1:1"))._tag, "Unavailable")
    }))

  it.live("is ContractMismatch when what comes back is no embedding of the contract", () =>
    Effect.gen(function*() {
      const answers = [
        "no JSON",
        "{}",
        `{"data":[]}`,
        `{"data":[{"index":0,"embedding":[1,2]}]}`,
        `{"data":[{"index":0,"embedding":"AAAA"}]}`,
        `{"data":[{"index":0,"embedding":"?"}]}`,
        `{"data":[{"index":0,"embedding":[1,2,3]},{"index":1,"embedding":[1,2,3]}]}`
      ]
      for (const answer of answers) {
        const url = yield* answering((_, response) => response.end(answer))
        assert.strictEqual((yield* reasonOf(url))._tag, "ContractMismatch", answer)
      }
    }))

  it.live("hangs up at the deadline of the call", () =>
    Effect.gen(function*() {
      const url = yield* serve()
      const error = yield* Effect.flatMap(One, (one) => Effect.flip(one.embed({ text: "never" }))).pipe(
        Deadline.within("200 millis"),
        Effect.provide(remoteOne(url)),
        Effect.provide(NodeHttpClient.layerUndici)
      )
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.reason._tag, "DeadlineExceeded")
    }))

  it("satisfies no service that has other methods", () => {
    class Two extends Model.Service<Two>()("test/Two", [
      Rpc.make("embed", { payload: { text: Schema.String }, success: Tensor.schema("float32", [3]) }),
      Rpc.make("rank", { payload: { text: Schema.String }, success: Schema.Finite })
    ]) {}
    const embedder = OpenAi.embedder(Two, "embed", { model: "m" })
    assert.throws(() => OpenAi.layerEmbeddings(embedder, { url: "" }), "no embeddings server answers: rank")
  })
})

describe("OpenAi.layerEmbeddingModel", () => {
  it.effect("is an EmbeddingModel for programs of effect/ai", () =>
    Effect.gen(function*() {
      const model = yield* EmbeddingModel.EmbeddingModel
      assert.strictEqual(yield* EmbeddingModel.Dimensions, 3)
      assert.deepStrictEqual((yield* model.embed("hello")).vector, Array.from(vector("hello")))
      const { embeddings } = yield* model.embedMany(["a", "bb"])
      assert.deepStrictEqual(embeddings.map(({ vector }) => vector), [
        Array.from(vector("a")),
        Array.from(vector("bb"))
      ])
    }).pipe(Effect.provide(OpenAi.layerEmbeddingModel(many)), Effect.provide(ManyLive)))

  it.effect("makes one call of concurrent embeddings where the method takes many", () =>
    Effect.gen(function*() {
      const calls: Array<number> = []
      const Counting = Many.toLayer({
        embed: ({ texts }) => {
          calls.push(texts.length)
          return Effect.succeed(Tensor.zeros("float32", [texts.length, 3]))
        }
      })
      yield* Effect.gen(function*() {
        const model = yield* EmbeddingModel.EmbeddingModel
        yield* Effect.forEach(["a", "b", "c"], model.embed, { concurrency: "unbounded" })
      }).pipe(Effect.provide(OpenAi.layerEmbeddingModel(many)), Effect.provide(Counting))
      assert.deepStrictEqual(calls, [3])
    }))

  it.effect("fails with the AiError that says what the service said", () =>
    Effect.gen(function*() {
      const model = yield* EmbeddingModel.EmbeddingModel
      const full = yield* Effect.flip(model.embed("full"))
      assert.strictEqual(full.reason._tag, "RateLimitError")
      assert.isTrue(full.isRetryable)
      const tooLong = yield* Effect.flip(model.embed("a text that is too long"))
      assert.strictEqual(tooLong.reason._tag, "InvalidRequestError")
      assert.include(tooLong.message, "more than 10 characters")
    }).pipe(Effect.provide(OpenAi.layerEmbeddingModel(one)), Effect.provide(OneLive)))
})
