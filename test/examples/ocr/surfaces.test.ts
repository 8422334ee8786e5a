/** One server, five ways to ask it: the lines are the same. */
import { NodeFileSystem, NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Bento, Mcp, OpenInference, Resources, Serve } from "chorale"
import { Http, Machine } from "chorale/node"
import { Context, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { OrientationClassifierLive } from "../../../examples/ocr/classifier.ts"
import { Line, Ocr } from "../../../examples/ocr/contracts.ts"
import { TextDetectorLive } from "../../../examples/ocr/detector.ts"
import { RecognizerNetwork, RecognizerNetworkLive, TextRecognizerOnNetwork } from "../../../examples/ocr/network.ts"
import { OcrLive } from "../../../examples/ocr/ocr.ts"
import { Turns } from "../../../examples/ocr/turns.ts"

const image = new Uint8Array(readFileSync(new URL("../../../examples/ocr/samples/sign.jpg", import.meta.url)))

const models = [TextDetectorLive, OrientationClassifierLive, RecognizerNetworkLive] as const

const pipeline = OcrLive.pipe(
  Layer.provide(TextRecognizerOnNetwork),
  Layer.provideMerge(Layer.mergeAll(...models)),
  Layer.provide(Resources.layer(models)),
  Layer.provide([NodeFileSystem.layer, Turns.layer, Machine.layer])
)

const server = HttpRouter.serve(
  Layer.mergeAll(
    Serve.http([Ocr]),
    OpenInference.http([RecognizerNetwork]),
    Bento.http(Ocr),
    Mcp.http([Mcp.tool(Ocr, "read")], { name: "ocr", version: "1.0.0" })
  ),
  { disableLogger: true, disableListenLog: true }
).pipe(
  Layer.provide(pipeline),
  Layer.provideMerge(
    NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" })
  )
)

/** The texts in what any of the surfaces answers. */
const texts = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ text: Schema.String })))

const overRest = async (url: string) => {
  const response = await fetch(`${url}/ocr/Ocr/read`, {
    method: "POST",
    headers: { "content-type": "image/jpeg" },
    body: image
  })
  return texts(await response.json())
}

const overBento = async (url: string) => {
  const form = new FormData()
  form.set("image", new Blob([image], { type: "image/jpeg" }), "sign.jpg")
  const response = await fetch(`${url}/read`, { method: "POST", body: form })
  return texts(await response.json())
}

const overMcp = async (url: string) => {
  const client = new Client({ name: "test", version: "1.0.0" })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
  try {
    const { tools } = await client.listTools()
    const answer = await client.callTool({
      name: tools[0]?.name ?? "",
      arguments: { image: Buffer.from(image).toString("base64") }
    })
    return texts(Object(answer.structuredContent).result)
  } finally {
    await client.close()
  }
}

/** The pipeline here, with the network of its recogniser on the server as a model of the Open Inference Protocol. */
const withNetworkAt = (url: string) => {
  const own = [TextDetectorLive, OrientationClassifierLive] as const
  return OcrLive.pipe(
    Layer.provide(TextRecognizerOnNetwork),
    Layer.provide(Layer.mergeAll(...own)),
    Layer.provide(Layer.provide(OpenInference.layer(RecognizerNetwork, { url }), NodeHttpClient.layerUndici)),
    Layer.provide(Resources.layer(own)),
    Layer.provide([NodeFileSystem.layer, Turns.layer, Machine.layer])
  )
}

describe("the OCR example", () => {
  it.live(
    "answers the same lines over REST, RPC, the Open Inference Protocol, BentoML's routes and MCP",
    () =>
      Effect.gen(function*() {
        const url = HttpServer.formatAddress(Context.get(yield* Layer.build(server), HttpServer.HttpServer).address)
        const read = Ocr.use((ocr) => ocr.read({ image }))
        const overRpc = yield* Effect.provide(read, Http.layerClient(Ocr, { url }))
        const overOpenInference = yield* Effect.provide(read, withNetworkAt(url))
        const expected = overRpc.map(({ text }) => text)
        assert.isAbove(expected.length, 0)
        assert.isTrue(Schema.is(Schema.Array(Line))(overRpc))
        assert.deepStrictEqual(overOpenInference.map(({ text }) => text), expected)
        for (const ask of [overRest, overBento, overMcp]) {
          const lines = yield* Effect.promise(() => ask(url))
          assert.deepStrictEqual(lines.map(({ text }) => text), expected, ask.name)
        }
      }),
    60_000
  )
})
