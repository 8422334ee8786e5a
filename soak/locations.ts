/** Where the service runs, each a layer that calls it there. */
import { Http, Socket, Worker } from "chorale/node"
import { Effect, Layer } from "effect"
import { start } from "../bench/child.ts"
import type { Server } from "./server.ts"
import { Soak } from "./service.ts"

const entry = new URL("./worker.ts", import.meta.url)

const server = start<Server>(new URL("./server.ts", import.meta.url))

const onSocket = (how: "unix" | "tcp") =>
  Layer.unwrap(
    Effect.gen(function*() {
      return Socket.layerClient(Soak, yield* (yield* server)(how, undefined))
    })
  )

const overHttp = Layer.unwrap(
  Effect.gen(function*() {
    return Http.layerClient(Soak, { url: yield* (yield* server)("http", undefined), connections: 64 })
  })
)

export const locations: Readonly<Record<string, Layer.Layer<Soak, unknown>>> = {
  thread: Worker.layerThread(Soak, { entry }),
  process: Worker.layerProcess(Soak, { entry }),
  unix: onSocket("unix"),
  tcp: onSocket("tcp"),
  http: overHttp
}
