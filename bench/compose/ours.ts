/** A pipeline of two services on unix sockets, served over HTTP, as a user would write it. */
import { NodeHttpServer } from "@effect/platform-node"
import { Model, Serve } from "chorale"
import { Socket } from "chorale/node"
import { Context, Effect, Layer, ManagedRuntime, References, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { createServer } from "node:http"
import { answer } from "../child.ts"
import { cpuMicros } from "../hop/server.ts"
import { Echo, Record } from "../remote/contracts.ts"
import type { Orchestrator } from "./server.ts"

class Pipeline extends Model.Service<Pipeline>()("bench/Pipeline", [
  Rpc.make("run", {
    payload: Record,
    success: Schema.Struct({ first: Schema.Struct(Record), second: Schema.Struct(Record) })
  })
]) {}

const PipelineLive = (first: string, second: string) =>
  Pipeline.toLayer(Effect.gen(function*() {
    const clients = yield* Effect.forEach(
      [first, second],
      (path) => Effect.map(Layer.build(Socket.layerClient(Echo, { path })), Context.get(Echo)),
      { concurrency: 2 }
    )
    const [a, b] = clients
    return {
      run: (record) => Effect.all({ first: a!.json(record), second: b!.json(record) }, { concurrency: "unbounded" })
    }
  }))

answer<Orchestrator>({
  url: async ([first, second]) => {
    const runtime = ManagedRuntime.make(
      HttpRouter.serve(Serve.http([Pipeline]), { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(PipelineLive(first, second)),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
        Layer.provide(Layer.succeed(References.TracerEnabled, false))
      )
    )
    const address = await runtime.runPromise(
      HttpServer.HttpServer.use((server) => Effect.succeed(HttpServer.formatAddress(server.address)))
    )
    return `${address}/bench/Pipeline/run`
  },
  cpu: async () => cpuMicros()
})
