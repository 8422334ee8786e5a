import { assert, describe, it } from "@effect/vitest"
import { Model, OpenAi, Tensor } from "chorale"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Attack from "../fixtures/hostile/attack.ts"
import { postJson, serveVision } from "../http/surface.ts"
import { models, shapes } from "./shapes.ts"

class Sentences extends Model.Service<Sentences>()("test/Sentences", [
  Rpc.make("one", { payload: { text: Schema.NonEmptyString }, success: Tensor.schema("float32", [3]) }),
  Rpc.make("many", {
    payload: { texts: Schema.Array(Schema.String) },
    success: Tensor.schema("float32", ["texts", 3])
  })
]) {}

const sentencesLive = Sentences.toLayer({
  one: ({ text }) => Effect.succeed(Tensor.make("float32", [3], Float32Array.of(text.length, 0, 1))),
  many: ({ texts }) => Effect.succeed(Tensor.zeros("float32", [texts.length, 3]))
})

const routes = OpenAi.http([
  OpenAi.embedder(Sentences, "one", { model: models[0]! }),
  OpenAi.embedder(Sentences, "many", { model: models[1]! }),
  OpenAi.embedder(Sentences, "one", { model: models[2]! })
], { timeout: "5 seconds" }).pipe(Layer.provide(sentencesLive))

const requests = 1300

/** A failure is one of OpenAI's; what the server around the routes says is one of this library. */
const complaint: Attack.Complaint = ({ method }, { status, text }) => {
  if (status < 400 || method === "HEAD" || text === "") return undefined
  const { error } = JSON.parse(text)
  return typeof error === "object" ? isOpenAi(error) : Attack.isFailure(text) ? undefined : text.slice(0, 200)
}

const isOpenAi = (error: Readonly<Record<string, unknown>>) =>
  typeof error["message"] === "string" && typeof error["type"] === "string" && typeof error["code"] === "string"
    ? undefined
    : `it was answered with ${JSON.stringify(error)}`

describe("OpenAI's routes", () => {
  it.live(`take ${requests} bad requests for what they are`, () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxBodySize: "64 KiB" }, {}, routes)
      const statuses = yield* Attack.attack({ url, shapes, requests, seed: 7, complaint, growth: 300 * 2 ** 20 })
      for (const status of [200, 400, 404, 413]) assert.isTrue(statuses.has(status), `${status}`)
      assert.isAbove(statuses.get(200) ?? 0, 60)
      const alive = yield* postJson(`${url}/v1/embeddings`, { model: "one", input: "still here" })
      assert.deepStrictEqual(JSON.parse(alive.text).data[0].embedding, [10, 0, 1])
    }))
})
