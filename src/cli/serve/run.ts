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
import { layerAddresses, prepare, type Prepared } from "../prepare.ts"
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
  const prepared = yield* prepare(loaded, {
    placement: Option.getOrUndefined(options.placement),
    ...(options.unit === undefined ? {} : { unit: options.unit, replicas: options.replicas })
  })
  if (exposed(prepared, options).length === 0) {
    return yield* fail("deployment", nothingExposed(prepared.deployment.name))
  }
  yield* isFree(options)
  const { deployment, description } = prepared
  const supervisor = yield* Supervisor.start({
    deployment,
    description,
    module: loaded.module,
    startTimeout: options.startTimeout * 1000
  }).pipe(
    Effect.provide(layerAddresses(prepared.addresses)),
    Effect.mapError((error) => fail("failed", error.message))
  )
  return { supervisor, prepared }
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
  ).pipe(Effect.mapError((error) => addressFailure(options, error.cause)))
  yield* Effect.provideContext(
    Http.addressFormattedWith((address) => Effect.logInfo(`ready: ${address}`)),
    built
  )
})

/** Whether it could listen: to be found out before any model is loaded, and not after. */
const isFree = ({ host, port }: Pick<Options, "host" | "port">) =>
  Effect.callback<void, ReturnType<typeof fail>>((resume) => {
    const server = Net.createServer()
    server.on("error", (error) => resume(Effect.fail(addressFailure({ host, port }, error))))
    server.listen({ host, port }, () => server.close(() => resume(Effect.void)))
  })

const addressFailure = ({ host, port }: Pick<Options, "host" | "port">, cause: unknown) => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  const why = code === "EADDRINUSE"
    ? "something listens there already; choose another with --port"
    : code === "EACCES"
    ? "this user may not"
    : cause instanceof Error
    ? cause.message
    : String(cause)
  return fail("address", `cannot listen on ${host}:${port}: ${why}`)
}

const layerLogger = (json: boolean): Layer.Layer<never> =>
  Logger.layer([json ? Logger.consoleJson : process.stdout.isTTY ? Logger.consolePretty() : Logger.consoleLogFmt])
