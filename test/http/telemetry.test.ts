import { assert, describe, it } from "@effect/vitest"
import { Serve } from "chorale"
import { ConfigProvider, Deferred, Effect, Layer } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** A collector that keeps what it is sent, by path. */
const collector = Effect.gen(function*() {
  const received = yield* Deferred.make<{ readonly path: string; readonly body: string }>()
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((request, response) => {
        let body = ""
        request.on("data", (chunk) => {
          body += chunk
        })
        request.on("end", () => {
          Deferred.doneUnsafe(received, Effect.succeed({ path: request.url ?? "", body }))
          response.end("{}")
        })
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )
  // A server that listens on a port has no address of another kind.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received: Deferred.await(received) }
})

const withEnvironment = (env: Record<string, string>) =>
  Layer.provide(Serve.layerTelemetry, ConfigProvider.layer(ConfigProvider.fromEnv({ env })))

describe("Serve.layerTelemetry", () => {
  it.live("sends traces to the collector that the environment names, when it is closed at the latest", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      yield* Effect.void.pipe(
        Effect.withSpan("a span of mine"),
        Effect.provide(withEnvironment({
          OTEL_EXPORTER_OTLP_ENDPOINT: url,
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_SERVICE_NAME: "reader"
        }))
      )
      const { body, path } = yield* received
      assert.strictEqual(path, "/v1/traces")
      assert.include(body, "a span of mine")
      assert.include(body, "reader")
    }))

  it.live("is called as the specification says where the environment has no name for it, and as that says", () =>
    Effect.gen(function*() {
      const nameIn = Effect.fnUntraced(function*(env: Record<string, string>) {
        const { received, url } = yield* collector
        const all = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", ...env }
        yield* Effect.void.pipe(Effect.withSpan("a span"), Effect.provide(withEnvironment(all)))
        return /"key":"service.name","value":\{"stringValue":"([^"]*)"/.exec((yield* received).body)?.[1]
      })
      assert.strictEqual(yield* nameIn({}), "unknown_service:node")
      assert.strictEqual(yield* nameIn({ OTEL_RESOURCE_ATTRIBUTES: "zone=a,service.name=reader" }), "reader")
      assert.strictEqual(
        yield* nameIn({ OTEL_SERVICE_NAME: "ocr", OTEL_RESOURCE_ATTRIBUTES: "service.name=reader" }),
        "ocr"
      )
    }))

  it.live("does nothing where the environment names none", () =>
    Effect.void.pipe(Effect.withSpan("nobody"), Effect.provide(withEnvironment({}))))
})
