/** The service as a user would serve it, with two places for calls that take their time. */
import { NodeHttpServer } from "@effect/platform-node"
import { Serve, ServiceError } from "chorale"
import { Duration, Effect, Layer, ManagedRuntime, References } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { answer } from "../child.ts"
import { cpuMicros } from "../hop/server.ts"
import { type RestServer, Trivial } from "./service.ts"

let running = 0

const TrivialLive = Trivial.toLayer({
  greet: ({ name }) => Effect.succeed({ text: `hello ${name}` }),
  work: ({ millis }) =>
    Effect.suspend(() => {
      if (running === 32) return Effect.fail(new ServiceError.Overloaded({ retryAfter: Duration.seconds(1) }))
      running++
      return Effect.delay(Effect.succeed({ text: "done" }), millis).pipe(
        Effect.ensuring(Effect.sync(() => running--))
      )
    })
})

const runtime = ManagedRuntime.make(
  HttpRouter.serve(Serve.http([Trivial]), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(TrivialLive),
    Layer.provide(Layer.succeed(References.TracerEnabled, false)),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
  )
)

const url = await runtime.runPromise(
  HttpServer.HttpServer.use((server) => Effect.succeed(HttpServer.formatAddress(server.address)))
)

answer<RestServer>({ url: async () => url, cpu: async () => cpuMicros() })
