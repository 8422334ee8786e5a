/** The service as a model of the Open Inference Protocol, as a user would serve it. */
import { NodeHttpServer } from "@effect/platform-node"
import { OpenInference } from "chorale"
import { Effect, Layer, ManagedRuntime, References } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { answer } from "../child.ts"
import { Echo, type Server } from "../remote/contracts.ts"

const EchoLive = Echo.toLayer({
  json: (record) => Effect.succeed(record),
  tensor: ({ tensor }) => Effect.succeed(tensor)
})

const runtime = ManagedRuntime.make(
  HttpRouter.serve(OpenInference.http([Echo]), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(EchoLive),
    Layer.provide(Layer.succeed(References.TracerEnabled, false)),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
  )
)

const url = await runtime.runPromise(
  HttpServer.HttpServer.use((server) => Effect.succeed(HttpServer.formatAddress(server.address)))
)

answer<Server>({ url: async () => url })
