/** A server of Effect that answers one request, as one writes it by hand: `node bare.ts <port>`. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

const routes = HttpRouter.add("GET", "/readyz", HttpServerResponse.text("ready"))

HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: Number(process.argv[2]) })),
  Layer.launch,
  NodeRuntime.runMain
)
