import { assert, describe, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Effect, Redacted } from "effect"
import { jsonOf, send, serveVision } from "./surface.ts"

const read = Effect.fnUntraced(function*(options: Parameters<typeof serveVision>[0] = {}, init: RequestInit = {}) {
  const { url } = yield* serveVision(options)
  const document = jsonOf(yield* send(`${url}/openapi.json`, init))
  type Json = ReturnType<typeof JSON.parse>
  const resolve = (schema: Json): Json =>
    schema.$ref === undefined
      ? schema
      : resolve(document.components.schemas[schema.$ref.replace("#/components/schemas/", "")])
  return { document, resolve }
})

describe("GET /openapi.json", () => {
  it.live("is an OpenAPI 3.1 document by the validator of its specification", () =>
    Effect.gen(function*() {
      const { document } = yield* read()
      assert.strictEqual(document.openapi, "3.1.0")
      const result = yield* Effect.promise(() => new Validator().validate(structuredClone(document)))
      assert.isTrue(result.valid, JSON.stringify(result.errors))
    }))

  it.live("has an operation for every method that has a route, with its description and examples", () =>
    Effect.gen(function*() {
      const { document } = yield* read({ docs: { title: "Vision", version: "1.2.3", description: "Sees." } })
      assert.deepInclude(document.info, { title: "Vision", version: "1.2.3", description: "Sees." })
      assert.sameMembers(
        Object.keys(document.paths),
        [
          "greet",
          "form",
          "sum",
          "scale",
          "raw",
          "nothing",
          "fail",
          "refuse",
          "wait",
          "remaining",
          "trace",
          "count",
          "shed",
          "flood"
        ]
          .map((method) => `/test/Vision/${method}`)
      )
      const greet = document.paths["/test/Vision/greet"].post
      assert.strictEqual(greet.description, "Greets somebody.")
      assert.deepStrictEqual(
        greet.requestBody.content["application/json"].examples,
        { "example 1": { value: { name: "world" } } }
      )
      assert.isUndefined(document.paths["/test/Vision/nothing"].post.requestBody)
    }))

  it.live("says which content types a method takes and gives", () =>
    Effect.gen(function*() {
      const { document } = yield* read()
      const post = (method: string) => document.paths[`/test/Vision/${method}`].post
      const taken = (method: string) => Object.keys(post(method).requestBody.content)
      const given = (method: string) => Object.keys(post(method).responses["200"].content)
      assert.sameMembers(taken("form"), ["application/json", "multipart/form-data"])
      assert.sameMembers(taken("sum"), ["application/json", "multipart/form-data", "application/octet-stream"])
      assert.sameMembers(taken("raw"), ["application/json", "application/octet-stream"])
      assert.sameMembers(given("raw"), ["application/octet-stream", "application/json"])
      assert.sameMembers(given("count"), ["application/x-ndjson", "text/event-stream"])
    }))

  it.live("describes every declared error under its status, and what may go wrong around any method", () =>
    Effect.gen(function*() {
      const { document, resolve } = yield* read()
      const { responses } = document.paths["/test/Vision/fail"].post
      assert.sameMembers(
        Object.keys(responses),
        ["200", "400", "401", "404", "413", "415", "422", "429", "500", "502", "503", "504"]
      )
      assert.include(responses["422"].description, "The picture cannot be read.")
      const [unreadable, sentence] = responses["422"].content["application/json"].schema.allOf
      assert.deepStrictEqual(resolve(unreadable).properties.reason.enum, ["empty", "damaged"])
      assert.deepStrictEqual(sentence.required, ["error"])
      assert.deepStrictEqual(responses["504"].content["application/json"].schema.properties._tag, {
        const: "DeadlineExceeded"
      })
      for (const status of ["429", "503"]) assert.isDefined(responses[status].headers["retry-after"])
    }))

  it.live("describes a tensor by its dtype and its sizes", () =>
    Effect.gen(function*() {
      const { document, resolve } = yield* read()
      const schema = resolve(document.paths["/test/Vision/form"].post.requestBody.content["application/json"].schema)
      const pixels = resolve(schema.properties.pixels)
      assert.strictEqual(pixels.description, "A tensor uint8[height, width, 3].")
      assert.deepStrictEqual(pixels.properties.dtype.enum, ["uint8"])
      assert.strictEqual(pixels.properties.data.contentEncoding, "base64")
      const sizes = pixels.properties.shape
      assert.strictEqual(sizes.prefixItems.length, 3)
      assert.strictEqual(sizes.prefixItems[0].description, "height")
      assert.deepStrictEqual(sizes.prefixItems[2].enum, [3])
    }))

  it.live("asks for the token where the server does", () =>
    Effect.gen(function*() {
      const { document } = yield* read({ token: Redacted.make("t") }, { headers: { authorization: "Bearer t" } })
      assert.deepStrictEqual(document.security, [{ token: [] }])
      assert.deepStrictEqual(document.components.securitySchemes.token, { type: "http", scheme: "bearer" })
      assert.isUndefined((yield* read()).document.security)
    }))
})

describe("GET /docs", () => {
  it.live("is a page that may ask this server for something and no other", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      const answer = yield* send(`${url}/docs`)
      assert.strictEqual(answer.status, 200)
      assert.include(answer.headers.get("content-type"), "text/html")
      const policy = answer.headers.get("content-security-policy") ?? ""
      assert.include(policy, "default-src 'none'")
      assert.include(policy, "connect-src 'self'")
      assert.notMatch(policy, /https?:/)
      assert.notMatch(answer.text, /<(script|link|img)[^>]+(src|href)=/)
      assert.include(answer.text, "\"withDefaultFonts\":false")
      assert.include(answer.text, "/test/Vision/greet")
      assert.strictEqual((yield* send(`${url}/docs`)).text.length, answer.text.length)
    }))

  it.live("is not there where the server does without", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ docs: false })
      assert.strictEqual((yield* send(`${url}/docs`)).status, 404)
      assert.strictEqual((yield* send(`${url}/openapi.json`)).status, 404)
    }))
})
