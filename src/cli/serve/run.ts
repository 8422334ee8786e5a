/** The program of `chorale serve`. */
import { type Context, Effect, Layer, Logger, Option, type Queue } from "effect"
import { HttpRouter, HttpServer as Http } from "effect/http"
import * as Net from "node:net"
import type * as Deployment from "../../Deployment.ts"
import * as Telemetry from "../../http/telemetry.ts"
import * as HttpServer from "../../node/HttpServer.ts"
import * as Machine from "../../node/Machine.ts"
import * as Serve from "../../Serve.ts"
import * as Supervisor from "../../supervisor/Supervisor.ts"
import { fail } from "../ExitCode.ts"
import { load, type Loaded, nothingExposed } from "../load.ts"
import { examine, layerAddresses, type Prepared, refuse } from "../prepare.ts"
import type { Options as Flags } from "../serve.ts"
import { Stopping } from "../Stopping.ts"
import { bearer } from "../token.ts"
import { type Asked, follow, signals } from "./signals.ts"

type Options = Omit<Flags, "unit" | "watch"> & { readonly unit: string | undefined }

/** Serves until it is interrupted. Signals are listened to before anything else is done. */
export const run = (options: Options) =>
  Effect.gen(function*() {
    const asked = yield* signals
    const loaded = yield* load(options)
    return yield* Effect.provide(serve(asked, loaded, options), [Machine.layer, layerTelemetry(loaded, options)])
  }).pipe(Effect.scoped, Effect.provide(layerLogger(options.json)))

const serve = Effect.fnUntraced(function*(asked: Queue.Queue<Asked>, loaded: Loaded, options: Options) {
  const stopping = yield* Stopping
  const { supervisor, prepared } = yield* start(loaded, options)
  yield* listen(exposed(prepared, options), supervisor.services, options)
  // To be told to stop is how it ends well.
  stopping.exitCode = 0
  return yield* follow(asked, { loaded, prepared, supervisor })
}, Effect.scoped)

const layerTelemetry = ({ deployment: { name } }: Loaded, { unit }: Options) =>
  Layer.provide(
    Serve.layerTelemetry,
    Layer.succeed(Telemetry.ServiceName, unit === undefined ? name : `${name}-${unit}`)
  )

const start = Effect.fnUntraced(function*(loaded: Loaded, options: Options) {
  const prepared = yield* examined(loaded, options)
  const { deployment, description } = prepared
  const supervisor = yield* Supervisor.start({
    deployment,
    description,
    module: loaded.module,
    startTimeout: options.startTimeout * 1000,
    bundle: options.bundle
  }).pipe(
    Effect.provide(layerAddresses(prepared.addresses)),
    Effect.mapError((error) => fail("failed", error.message))
  )
  return { supervisor, prepared }
})

/** That the port is in use is one of the problems, and where it is the only one, one of its own. */
const examined = Effect.fnUntraced(function*(loaded: Loaded, options: Options) {
  const { prepared, problems } = yield* examine(loaded, {
    placement: Option.getOrUndefined(options.placement),
    ...(options.unit === undefined ? {} : { unit: options.unit, replicas: options.replicas })
  })
  const wrong = [...problems, ...(exposed(prepared, options).length === 0 ? [nothingExposed] : [])]
  const obstacle = yield* obstacleOf(options)
  if (wrong.length === 0 && obstacle !== undefined) {
    return yield* fail("address", `cannot listen on ${options.host}:${options.port}: ${obstacle}`)
  }
  const port = obstacle === undefined ? [] : [{
    path: "--port",
    detail: `cannot listen on ${options.host}:${options.port}`,
    advice: `${obstacle}.`
  }]
  yield* refuse(prepared, wrong.length === 0 ? [] : [...wrong, ...port])
  return prepared
})

/** What is reachable from outside: a unit that runs alone, or those of the deployment that are exposed. */
const exposed = (
  { deployment, description }: Prepared,
  { unit }: Options
): ReadonlyArray<Deployment.AnyUnit["service"]> =>
  description.units
    .filter(({ expose }) => expose || unit !== undefined)
    .flatMap(({ name }) => deployment.units[name]?.service ?? [])

const listen = Effect.fnUntraced(function*(
  services: ReadonlyArray<Deployment.AnyUnit["service"]>,
  context: Context.Context<never>,
  options: Options
) {
  const routes = HttpRouter.serve(
    Serve.http(services, {
      accessLog: options.accessLog,
      token: Option.getOrUndefined(yield* bearer)
    }),
    {
      disableLogger: true,
      disableListenLog: true
    }
  )
  const server = HttpServer.layerServer({
    host: options.host,
    port: options.port,
    drainDelay: `${options.drainDelay} seconds`,
    gracefulShutdownTimeout: `${options.gracePeriod} seconds`
  })
  const built = yield* Layer.build(
    // The services are in the context, by keys that the compiler does not know.
    Layer.provideMerge(routes, server).pipe(Layer.provide(Layer.succeedContext(context as Context.Context<unknown>)))
  ).pipe(
    Effect.mapError(({ cause }) =>
      fail("address", `cannot listen on ${options.host}:${options.port}: ${reasonOf(cause)}`)
    )
  )
  yield* Effect.provideContext(
    Http.addressFormattedWith((address) => Effect.logInfo(`ready: ${address}`)),
    built
  )
})

/** Why it could not listen: to be found out before any model is loaded, and not after. */
const obstacleOf = ({ host, port }: Pick<Options, "host" | "port">) =>
  Effect.callback<string | undefined>((resume) => {
    const server = Net.createServer()
    server.on("error", (error) => resume(Effect.succeed(reasonOf(error))))
    server.listen({ host, port }, () => server.close(() => resume(Effect.undefined)))
  })

const reasonOf = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "EADDRINUSE") return "something listens there already; choose another with --port"
  if (code === "EACCES") return "this user may not"
  return cause instanceof Error ? cause.message : String(cause)
}

const layerLogger = (json: boolean): Layer.Layer<never> =>
  Logger.layer([json ? Logger.consoleJson : process.stdout.isTTY ? Logger.consolePretty() : Logger.consoleLogFmt])
