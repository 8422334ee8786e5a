/** A method that a command calls: of a server that runs, or of the deployment, which then runs in here. */
import { type Context, Effect, Layer, Option, Redacted, Tracer } from "effect"
import { HttpRouter } from "effect/http"
import type { Placement } from "../deployment/Description.ts"
import { nearest } from "../deployment/nearest.ts"
import type * as Model from "../Model.ts"
import * as Machine from "../node/Machine.ts"
import * as Serve from "../Serve.ts"
import * as Supervisor from "../supervisor/Supervisor.ts"
import { fail } from "./ExitCode.ts"
import { load, type Options as Loading } from "./load.ts"
import { prepare } from "./prepare.ts"
import { bearer } from "./token.ts"

/** What a call sends: text is JSON. */
export type Body = string | Uint8Array<ArrayBuffer>

/** A method to call, as often as it is done. */
export interface Callee {
  /** Such as `ocr/Ocr.read`. */
  readonly name: string
  readonly send: (body: Body) => Effect.Effect<Response, ReturnType<typeof fail>>
}

/** What the flags say of it. */
export interface Options extends Loading {
  readonly url: Option.Option<string>
  readonly placement: Option.Option<Placement>
  readonly startTimeout: number
}

/** Finds the method `target`, such as `Ocr.read` or `ocr/Ocr.read`; what was started for it ends with the scope. */
export const find = (target: string, options: Options) =>
  Option.isSome(options.url) ? remote(target, options.url.value) : local(target, options)

const remote = Effect.fnUntraced(function*(target: string, url: string) {
  const base = URL.parse(url)
  if (base === null || !["http:", "https:"].includes(base.protocol)) {
    return yield* fail("usage", `--url must be such as http://127.0.0.1:3000, not ${url}`)
  }
  const token = yield* bearer
  const headers: Readonly<Record<string, string>> = Option.isSome(token)
    ? { authorization: `Bearer ${Redacted.value(token.value)}` }
    : {}
  const request = (path: string, init: RequestInit) =>
    Effect.tryPromise({
      try: (signal) => fetch(new URL(path, base), { ...init, signal, headers: { ...headers, ...init.headers } }),
      catch: (cause) => fail("address", `nothing answers at ${base.origin}: ${reasonOf(cause)}`)
    })
  const path = yield* choose(target, yield* operations(base.origin, request))
  return toCallee(path, (init) => request(path, init))
})

type Request = (path: string, init: RequestInit) => Effect.Effect<Response, ReturnType<typeof fail>>

/** The methods that a server says it has, which it is asked for before any call: so it has to answer soon. */
const operations = Effect.fnUntraced(function*(origin: string, request: Request) {
  const read = Effect.fnUntraced(function*() {
    const response = yield* request("/openapi.json", {})
    const document: unknown = yield* Effect.tryPromise({
      try: () => response.json(),
      catch: () => fail("address", `${origin} is no server of chorale: its /openapi.json is no JSON`)
    })
    return { document, status: response.status }
  })
  const { document, status } = yield* Effect.timeoutOrElse(read(), {
    duration: "10 seconds",
    orElse: () => Effect.fail(fail("address", `${origin} has not answered for 10 seconds`))
  })
  const paths = isRecord(document) ? document["paths"] : undefined
  return isRecord(paths)
    ? Object.keys(paths)
    : yield* fail("address", `${origin} answered ${status} for /openapi.json: ${JSON.stringify(document)}`)
})

const local = Effect.fnUntraced(function*(target: string, options: Options) {
  const loaded = yield* load(options)
  const services = Object.values(loaded.deployment.units).map(({ service }) => service)
  const path = yield* choose(target, services.flatMap(pathsOf))
  const prepared = yield* prepare(loaded, { placement: Option.getOrUndefined(options.placement) })
  const supervisor = yield* Supervisor.start({
    ...prepared,
    module: loaded.module,
    startTimeout: options.startTimeout * 1000
  }).pipe(Effect.mapError((error) => fail("failed", error.message)))
  // The services are in the context, by keys that the compiler does not know.
  const context = supervisor.services as Context.Context<unknown>
  const routes = Serve.http(services).pipe(
    Layer.provide(Layer.succeedContext(context)),
    Layer.provideMerge(Layer.succeed(Tracer.Tracer, yield* Tracer.Tracer))
  )
  const { handler } = yield* Effect.acquireRelease(
    Effect.sync(() => HttpRouter.toWebHandler(routes, { disableLogger: true })),
    ({ dispose }) => Effect.promise(dispose)
  )
  return toCallee(
    path,
    (init) => Effect.promise((signal) => handler(new Request(new URL(path, "http://localhost"), { ...init, signal })))
  )
}, Effect.provide(Machine.layer))

const pathsOf = (service: Model.Any): ReadonlyArray<string> =>
  Array.from(service.methods.keys(), (method) => `/${service.key}/${method}`)

const toCallee = (path: string, send: (init: RequestInit) => ReturnType<Callee["send"]>): Callee => ({
  name: nameOf(path),
  send: (body) =>
    send({
      method: "POST",
      body,
      headers: {
        "content-type": typeof body === "string" ? "application/json" : "application/octet-stream",
        // An error in the middle of a stream is an event of its own.
        accept: "text/event-stream, */*"
      }
    })
})

/** The path of the method that is meant; the name of a service may be its last part alone. */
const choose = (target: string, paths: ReadonlyArray<string>) => {
  const names = paths.map(nameOf)
  const matches = paths.filter((path) => nameOf(path) === target || nameOf(path).endsWith(`/${target}`))
  const [only] = matches
  if (only !== undefined && matches.length === 1) return Effect.succeed(only)
  if (matches.length > 1) {
    return Effect.fail(fail("usage", `${target} may be ${matches.map(nameOf).join(" or ")}; give the whole name`))
  }
  const meant = nearest(target, [...names, ...names.map((name) => name.slice(name.lastIndexOf("/") + 1))])
  const hint = meant === undefined ? `there are ${names.join(", ")}` : `did you mean ${meant}?`
  return Effect.fail(fail("usage", `there is no method ${target}; ${hint}`))
}

/** `ocr/Ocr.read` for `/ocr/Ocr/read`. */
const nameOf = (path: string): string => path.slice(1).replace(/\/([^/]*)$/, ".$1")

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const reasonOf = (cause: unknown): string => {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return inner instanceof Error ? inner.message || ("code" in inner ? String(inner.code) : inner.name) : String(inner)
}
